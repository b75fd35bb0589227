"""What a learner's file imports, and what its classes take: the parts of a package, what is not
installed, methods without signs, arrays alone.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest
from tests.oracle.yours.conftest import Examine

from backprop_tui.oracles.process import Child
from backprop_tui.oracles.yours import statements
from backprop_tui.oracles.yours.client import Learners
from backprop_tui.oracles.yours.examining import examine
from backprop_tui.oracles.yours.file import File
from backprop_tui.oracles.yours.finding import Finding

RULES = """
class Add:
    @staticmethod
    def forward(a, b):
        return a + b

    @staticmethod
    def backward(a, b, g):
        return g, g


class Mul:
    @staticmethod
    def forward(a, b):
        return a * b

    @staticmethod
    def backward(a, b, g):
        return g * b, g * a
"""
VALUE = """{imports}

class Value:
    def __init__(self, data, rule=None, prev=()):
        self.data, self.grad, self.rule, self.prev = data, 0.0, rule, prev

    def _made(self, rule, other):
        other = other if isinstance(other, Value) else Value(other)
        return Value(rule.forward(self.data, other.data), rule, (self, other))

    def __add__(self, other):
        return self._made({rules}Add, other)

    def __mul__(self, other):
        return self._made({rules}Mul, other)

    def backward(self):
        self.grad = 1.0
        for node in reversed(in_order(self)):
            if node.rule is not None:
                a, b = node.prev
                sent = node.rule.backward(a.data, b.data, node.grad)
                for each, gradient in zip(node.prev, sent):
                    each.grad += gradient
"""
ORDER = """
def in_order(root):
    order, seen = [], set()

    def visit(value):
        if value not in seen:
            seen.add(value)
            for each in value.prev:
                visit(each)
            order.append(value)

    visit(root)
    return order
"""
OWN = "from course.engine.order import in_order\nfrom course import rules"
RELATIVE = "from .order import in_order\nfrom .. import rules"


def package(folder: Path, imports: str, *, rules: str = RULES, first: str | None = None) -> Path:
    """A package `course` whose file `engine/value.py` has the engine; `first` is its `__init__`."""
    inner = folder / "course" / "engine"
    inner.mkdir(parents=True)
    (inner / "value.py").write_text(VALUE.format(imports=imports, rules="rules."))
    (inner / "order.py").write_text(ORDER)
    (folder / "course" / "rules.py").write_text(rules)
    if first is not None:
        (folder / "course" / "__init__.py").write_text(first)
    return inner / "value.py"


def examined_at(path: Path, child: Child) -> Finding:
    return examine(Learners(File(str(path)), child=child), None)


@pytest.mark.parametrize("imports", [OWN, RELATIVE])
@pytest.mark.parametrize(
    "first", [None, "", "from course.engine.value import Value", "from .away import it"]
)
def test_a_part_of_a_package_is_run_as_that(
    imports: str, first: str | None, child: Child, tmp_path: Path
):
    found = examined_at(package(tmp_path, imports, first=first), child)
    assert (found.trouble, found.verdict, found.name) == ("", None, "Value")


def test_a_mistake_in_another_part_has_its_line_there(child: Child, tmp_path: Path):
    wrong = RULES.replace("return g, g", "return 1, 1")
    found = examined_at(package(tmp_path, OWN, rules=wrong), child)
    assert found.verdict is not None
    assert "upstream forgotten" in found.verdict.message
    assert found.quoted == "9 | return 1, 1"
    assert Path(found.file).name == "rules.py"


def test_what_is_imported_to_draw_need_not_be_there(examined: Examine):
    imports = "from no_such_plots import Dot, colours as c\nimport no_such_plots.style\n"
    guarded = "try:\n    import no_such_gpu\n    raise SystemExit\nexcept ImportError:\n    pass\n"
    drawing = "BLUE = f'{c.blue}'\n\nclass Drawn(Dot):\n    pass\n"
    source = VALUE.format(imports=guarded + imports + ORDER + RULES + drawing, rules="")
    assert examined(source).is_right
    found = examined(f"{source}\nDot().draw()\n")
    assert found.is_right
    assert "(ModuleNotFoundError: No module named 'no_such_plots')" in found.remarks[0]
    found = examined(source.replace("= data,", "= Dot(),", 1))
    assert found.trouble == "Value(2) raises ModuleNotFoundError: No module named 'no_such_plots'."


NOTEBOOK = """
get_ipython().run_line_magic('matplotlib', 'inline')
{source}
x = Value(2.0)
y = x.softmax()
assert y.grad == 1.0
"""


def test_what_a_notebook_only_tries_out_may_fail(
    examined: Examine,
):
    source = VALUE.format(imports=ORDER + RULES, rules="")
    found = examined(NOTEBOOK.format(source=source))
    assert (found.trouble, found.verdict) == ("", None)
    left_out = found.remarks[0]
    for each in ("line 2 (NameError", "line 61 (AttributeError", "line 62 (NameError"):
        assert each in left_out
    wrong = examined(NOTEBOOK.format(source=source.replace("return g * b, g", "return g, g")))
    assert wrong.quoted.endswith("| return g, g * a")


def test_a_training_loop_at_top_level_is_not_waited_for(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(statements, "_SECONDS", 0.05)
    names: dict[str, Any] = {}
    tree = ast.parse("for step in range(10**12):\n    last = step\nthen = 1")
    left_out = statements.run_leniently(tree, "<file>", names, [])
    assert list(left_out) == [1]
    assert names["last"] > 0
    assert names["then"] == 1


@pytest.mark.parametrize(
    ("stops", "told"),
    [("raise ValueError('no')", "ValueError: no"), ("x = undefined", "NameError")],
)
def test_what_stops_before_there_is_an_engine_is_told(stops: str, told: str, examined: Examine):
    found = examined(f"{stops}\n")
    assert told in found.trouble
    assert found.quoted == f"1 | {stops}"


TENSOR = f"""
import numpy as np
{ORDER}
class Tensor:
    def __init__(self, data, prev=(), sends=None):
        self.shape = data.shape
        self.data, self.grad, self.prev, self.sends = data, np.zeros(data.shape), prev, sends

    def add(self, other):
        return Tensor(self.data + other.data, (self, other), lambda g: (g, g))

    def mul(self, other):
        a, b = self.data, other.data
        return Tensor(a * b, (self, other), lambda g: (g * b, g * a))

    def sum(self, axis=-1):
        a = self.data
        return Tensor(a.sum(axis), (self,), lambda g: (np.expand_dims(g, axis) + 0 * a,))

    def leaky_relu(self, slope):
        return Tensor(np.where(self.data > 0, 1, slope.data) * self.data, (self,), lambda g: (g,))

    def backward(self):
        assert self.shape == ()
        self.grad = np.ones(())
        for node in reversed(in_order(self)):
            for each, gradient in zip(node.prev, node.sends(node.grad) if node.sends else ()):
                each.grad = each.grad + gradient


class Parameter(Tensor):
    def __init__(self, data):
        super().__init__(data)
"""


def test_arrays_without_signs_or_numbers_are_judged_by_what_they_can_do(examined: Examine):
    found = examined(TENSOR)
    assert (found.trouble, found.verdict, found.name) == ("", None, "Tensor")
    assert found.remarks[-1].startswith("Not examined, for it is not there: ")
    wrong = examined(TENSOR.replace("(g * b, g *", "(g, g *"))
    assert wrong.verdict is not None
    assert "local derivative forgotten" in wrong.verdict.message


ELEMENTS = f"""
import numpy as np
{ORDER}
class Tensor:
    def __init__(self, value, prev=(), sends=None):
        if not isinstance(value, np.ndarray):
            raise TypeError("arrays alone")
        self._array, self.slope, self.prev, self.sends = value, None, prev, sends

    def numpy(self):
        return self._array

    @property
    def grad(self):
        if self.slope is None:
            raise ValueError("there is none yet")
        return self.slope

    def __add__(self, other):
        return Tensor(value=self._array + other._array, prev=(self, other), sends=lambda g: (g, g))

    def __mul__(self, other):
        a, b = self._array, other._array
        return Tensor(value=a * b, prev=(self, other), sends=lambda g: (g * b, g * a))

    def backward(self):
        order = in_order(self)
        for node in order:
            for each in node.prev:
                each.slope = Tensor(np.zeros(1))
        self.slope = Tensor(np.ones(1))
        for node in reversed(order):
            for each, g in zip(node.prev, node.sends(node.slope._array) if node.sends else ()):
                each.slope._array += g
"""


def test_arrays_of_one_element_may_be_all_it_takes_and_a_gradient_a_tensor(examined: Examine):
    found = examined(ELEMENTS)
    assert (found.trouble, found.verdict, found.name) == ("", None, "Tensor")
    wrong = examined(ELEMENTS.replace("(g * b, g *", "(g * b, -g *"))
    assert wrong.verdict is not None
    assert "sign (" in wrong.verdict.message
    twice = examined(ELEMENTS.replace("in reversed(order):", "in (self, *reversed(order)):"))
    assert twice.verdict is not None
    assert twice.verdict.kind == "fired twice"
    assert wrong.quoted.endswith("sends=lambda g: (g * b, -g * a))")


def test_where_backward_itself_says_no_it_is_not_blamed(examined: Examine):
    found = examined(TENSOR.replace("self.shape == ()", "self.shape == (1,)"))
    assert found.verdict is None
    assert "AssertionError" in found.trouble


LAYERS = """
import numpy as np

def relu_forward(x):
    return np.maximum(x, 0), x

def relu_backward(dout, cache):
    return dout * (cache > 0)

def tanh_forward(context, x):
    return np.tanh(x)

def tanh_backward(context, dout):
    return dout * (1 - np.tanh(context.x)**2)

def sigmoid_forward(x):
    return 1 / (1 + np.exp(-x))

def sigmoid_backward(dout, cache):
    return dout * cache * (1 - cache)

def scaled_loss(x, target):
    return ((x - target)**2).mean()
"""


def test_layers_of_other_arguments_than_the_usual_ones_are_not_examined(examined: Examine):
    found = examined(LAYERS)
    assert found.judged == {"relu dx": True}
    assert found.remarks == (
        "sigmoid is not examined: it gives no pair of output and cache.",
        "tanh is not examined: it takes other arguments: (context, x).",
    )
