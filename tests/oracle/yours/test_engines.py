"""An engine of one's own: its first mistake, the kind and the line; and none where it is right."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.oracle.yours.conftest import Examine
from tests.oracle.yours.engines import BROKEN, MICROGRAD, Broken
from tests.oracle.yours.spellings import RIGHT
from tests.oracle.yours.tensor_engines import TENSOR
from tests.thorough import share

from backprop_engine.basics.source import Source
from backprop_engine.run.record import record
from backprop_engine.scenarios.loader import load, parse_shorthand
from backprop_engine.trace import Trace
from backprop_tui.oracles.yours import watching
from backprop_tui.oracles.yours.client import Learners
from backprop_tui.oracles.yours.examining import examine
from backprop_tui.oracles.yours.file import File
from backprop_tui.oracles.yours.learner import Learner

SCENARIOS = Path(__file__).parents[3] / "scenarios"
SHUFFLED = """
import random
_junk = [Value(0.0) for _ in range(random.randrange(500))]
random.shuffle(_junk)
del _junk[::2]
"""
ORDERS = [broken for broken in BROKEN if broken.verdict == "order"]
"""Those that hang on the order in which a set gives its elements are among them."""


def shorthand(text: str) -> Trace:
    return record(parse_shorthand(Source("<-e>", text)))


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken.name)
def test_a_broken_engine_is_told_its_first_mistake_and_the_line(broken: Broken, examined: Examine):
    found = examined(broken.source)
    assert found.verdict is not None
    assert (found.verdict.kind, found.verdict.line) == (broken.verdict, broken.line)
    assert found.verdict.program


@pytest.mark.parametrize("name", list(RIGHT)[:: share(usual=2, thorough=1)])
def test_a_right_engine_is_right_however_it_is_spelt(name: str, examined: Examine):
    found = examined(RIGHT[name])
    assert found.is_right, found
    assert found.programs >= 30


@pytest.mark.parametrize("seed", range(share(usual=2, thorough=200)))
def test_a_right_engine_is_never_blamed_wherever_its_objects_lie(seed: int, tmp_path: Path):
    path = tmp_path / f"mine{seed}.py"
    path.write_text(MICROGRAD + SHUFFLED, encoding="utf-8")
    with Learners(File(str(path))) as learners:
        assert examine(learners, None).is_right


@pytest.mark.parametrize(
    "broken", ORDERS[:: share(usual=2, thorough=1)], ids=lambda broken: broken.name
)
@pytest.mark.parametrize("part", range(share(usual=1, thorough=10)))
def test_a_wrong_order_is_found_whatever_order_a_set_has(
    broken: Broken, part: int, examined: Examine
):
    sources = [
        broken.source.replace("set(_children)", f"[*_children][::{direction}]")
        for direction in (1, -1)
    ]
    sources += [broken.source + SHUFFLED] * share(usual=0, thorough=10)
    for source in sources:
        found = examined(source)
        assert found.verdict is not None
        assert found.verdict.kind == "order"


def test_a_mistake_has_its_own_line_also_in_a_clone_of_this_project(tmp_path):
    mine = tmp_path / "mine.py"
    mine.write_text("class Value: pass\n")
    learner = Learner(str(mine))
    learner.folder = str(Path(watching.__file__).parents[4])
    assert learner.is_learners(__file__)
    assert not learner.is_learners(watching.__file__)


@pytest.mark.parametrize(
    ("scenario", "told"),
    [
        ("lesson-10-network", "is made for numbers, and here are arrays"),
        ("gallery/35-zero-times-infinity", "Python refuses what is inf or nan to others"),
    ],
)
def test_what_an_engine_of_numbers_cannot_do_is_no_mistake(
    scenario: str, told: str, examined: Examine
):
    found = examined(MICROGRAD, record(load(SCENARIOS / f"{scenario}.yaml")))
    assert found.verdict is None
    assert told in found.trouble


def test_what_stands_under_no_grad_is_a_value_by_itself(examined: Examine):
    assert examined(MICROGRAD, record(load(SCENARIOS / "guide" / "01-requires-grad.yaml"))).is_right


def test_a_second_pass_over_old_gradients_is_stale_where_a_scenario_has_two(examined: Examine):
    found = examined(MICROGRAD, record(load(SCENARIOS / "gallery" / "40-two-passes.yaml")))
    assert found.verdict is not None
    assert found.verdict.kind == "stale"


@pytest.mark.parametrize("broken", BROKEN[:: share(usual=6, thorough=1)], ids=lambda it: it.name)
def test_in_a_scenario_the_same_mistake_is_told_wherever_it_shows(
    broken: Broken, examined: Examine
):
    told = [
        found.verdict
        for path in sorted(SCENARIOS.glob("*.yaml"))
        if (found := examined(broken.source, record(load(path)))).verdict is not None
    ]
    assert {(verdict.kind, verdict.line) for verdict in told} <= {(broken.verdict, broken.line)}


def test_arrays_that_were_broadcast_and_not_summed_are_told(examined: Examine):
    source = TENSOR.replace(
        "self.grad += unbroadcast(grad, self.shape)", "self.grad = self.grad + grad"
    )
    found = examined(source)
    assert found.verdict is not None
    assert found.verdict.kind == "shape"
    assert "What was broadcast" in found.verdict.message


SUBCLASSES = """
class Value:
    def __init__(self, value):
        self.value, self.grad, self.inputs = value, 0.0, ()
    def __add__(self, other): return Add(self, other)
    def __mul__(self, other): return Mul(self, other)
    def pull(self): pass
    def backward(self):
        order = []
        def walk(node):
            if node not in order:
                for each in node.inputs: walk(each)
                order.append(node)
        walk(self)
        self.grad = 1.0
        for node in order[::-1]: node.pull()

class Add(Value):
    def __init__(self, a, b):
        super().__init__(a.value + b.value)
        self.inputs = (a, b)
    def pull(self):
        for each in self.inputs: each.grad += self.grad

class Mul(Value):
    def __init__(self, a, b):
        super().__init__(a.value * b.value)
        self.inputs = (a, b)
    def pull(self):
        a, b = self.inputs
        a.grad += self.grad * b.value
        b.grad += self.grad * a.value
"""


def test_a_class_for_each_operation_is_one_engine_that_takes_no_numbers(examined: Examine):
    found = examined(SUBCLASSES)
    assert found.is_right, found
    assert found.name == "Value"
    assert "takes no number beside its values: Value + 2" in found.remarks[-2]
    wrong = examined(SUBCLASSES.replace("a.grad += self.grad * b.value", "a.grad += self.grad"))
    assert wrong.verdict is not None
    assert wrong.verdict.line == SUBCLASSES[: SUBCLASSES.index("a.grad += ")].count("\n") + 1


def test_lines_are_those_of_the_file_that_an_engine_is_imported_from(
    examined: Examine, tmp_path: Path
):
    broken = BROKEN[0]
    (tmp_path / "imported_engine.py").write_text(broken.source, encoding="utf-8")
    found = examined("from imported_engine import Value\n")
    assert found.verdict is not None
    assert found.verdict.line == broken.line
    assert Path(found.file).name == "imported_engine.py"


ONE_LOOP = """
class Value:
    def __init__(self, data, prev=(), slopes=()):
        self.data, self.prev, self.slopes, self.grad = data, prev, slopes, None
    def __add__(self, other): return Value(self.data + other.data, (self, other), (1.0, 1.0))
    def __mul__(self, other):
        return Value(self.data * other.data, (self, other), (other.data, self.data))
    def walk(self):
        order, pending = [], [(self, False)]
        while pending:
            node, is_done = pending.pop()
            if is_done: order.append(node)
            elif node not in order:
                pending.append((node, True))
                pending.extend((each, False) for each in node.prev)
        return list(dict.fromkeys(order))
    def add_to(self, sent):
        self.grad = sent if self.grad is None else self.grad + sent
    def backward(self):
        self.grad = 1.0
        for node in reversed(self.walk()):
            for each, slope in zip(node.prev, node.slopes):
                each.add_to(float.__mul__(node.grad, slope))
"""


@pytest.mark.parametrize(
    ("old", "new", "kind", "at"),
    [
        ("", "", None, ""),
        (" if self.grad is None else self.grad + sent", "", "overwritten", "self.grad = sent"),
        ("reversed(self.walk())", "self.walk()", "order", "for node in"),
        ("(node.grad, slope)", "(node.grad, -slope)", "rule", "return Value(self.data * other"),
    ],
)  # fmt: skip
def test_one_loop_for_all_is_told_where_it_overwrites_or_begins_too_early(
    old: str, new: str, kind: str | None, at: str, examined: Examine
):
    found = examined(ONE_LOOP.replace(old, new))
    assert found.trouble == ""
    assert (found.verdict and str(found.verdict.kind)) == kind
    assert at in found.quoted
