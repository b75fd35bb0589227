"""Engines as learners write them: micrograd's, one that is right and what can be wrong with it."""

from __future__ import annotations

from typing import NamedTuple

MICROGRAD = """\
import math

class Value:
    def __init__(self, data, _children=(), _op=''):
        self.data = data
        self.grad = 0
        self._backward = lambda: None
        self._prev = set(_children)
        self._op = _op

    def __add__(self, other):
        other = other if isinstance(other, Value) else Value(other)
        out = Value(self.data + other.data, (self, other), '+')

        def _backward():
            self.grad += out.grad
            other.grad += out.grad
        out._backward = _backward
        return out

    def __mul__(self, other):
        other = other if isinstance(other, Value) else Value(other)
        out = Value(self.data * other.data, (self, other), '*')

        def _backward():
            self.grad += other.data * out.grad
            other.grad += self.data * out.grad
        out._backward = _backward
        return out

    def __pow__(self, other):
        assert isinstance(other, (int, float)), "only supporting int/float powers for now"
        out = Value(self.data**other, (self,), f'**{other}')

        def _backward():
            self.grad += (other * self.data**(other-1)) * out.grad
        out._backward = _backward
        return out

    def relu(self):
        out = Value(0 if self.data < 0 else self.data, (self,), 'ReLU')

        def _backward():
            self.grad += (out.data > 0) * out.grad
        out._backward = _backward
        return out

    def tanh(self):
        x = self.data
        t = (math.exp(2*x) - 1)/(math.exp(2*x) + 1)
        out = Value(t, (self,), 'tanh')

        def _backward():
            self.grad += (1 - t**2) * out.grad
        out._backward = _backward
        return out

    def exp(self):
        x = self.data
        out = Value(math.exp(x), (self,), 'exp')

        def _backward():
            self.grad += out.data * out.grad
        out._backward = _backward
        return out

    def backward(self):
        topo = []
        visited = set()
        def build_topo(v):
            if v not in visited:
                visited.add(v)
                for child in v._prev:
                    build_topo(child)
                topo.append(v)
        build_topo(self)
        self.grad = 1
        for v in reversed(topo):
            v._backward()

    def __neg__(self):
        return self * -1

    def __radd__(self, other):
        return self + other

    def __sub__(self, other):
        return self + (-other)

    def __rsub__(self, other):
        return other + (-self)

    def __rmul__(self, other):
        return self * other

    def __truediv__(self, other):
        return self * other**-1

    def __rtruediv__(self, other):
        return other * self**-1

    def __repr__(self):
        return f"Value(data={self.data}, grad={self.grad})"
"""


class Broken(NamedTuple):
    """The right source with `old` replaced; `at` is in the line that is to be blamed."""

    name: str
    old: str
    new: str
    verdict: str
    at: str

    @property
    def source(self) -> str:
        assert MICROGRAD.count(self.old) == 1, self.name
        return MICROGRAD.replace(self.old, self.new)

    @property
    def line(self) -> int:
        assert self.source.count(self.at) == 1, self.name
        return self.source[: self.source.index(self.at)].count("\n") + 1


_BACKWARD = MICROGRAD[MICROGRAD.index("        topo = []") : MICROGRAD.index("    def __neg__")]
_BUILD = _BACKWARD[
    _BACKWARD.index("                for child") : _BACKWARD.index("        build_topo(self)")
]
_CHILDREN, _APPEND = (
    _BUILD.split("                topo.append(v)\n")[0],
    "                topo.append(v)\n",
)
_LEVEL_BY_LEVEL = """\
        self.grad = 1
        queue, seen = [self], {self}
        while queue:
            v = queue.pop(0)
            v._backward()
            for child in v._prev:
                if child not in seen:
                    seen.add(child)
                    queue.append(child)

"""
_RECURSIVELY = """\
        self.grad = 1
        self.send()

    def send(self):
        self._backward()
        for child in self._prev:
            child.send()

"""

BROKEN = (
    Broken(
        "add overwrites",
        "other.grad += out.grad",
        "other.grad = out.grad",
        "overwritten",
        "other.grad = out.grad",
    ),
    Broken(
        "mul overwrites",
        "self.grad += other.data",
        "self.grad = other.data",
        "overwritten",
        "self.grad = other.data",
    ),
    Broken(
        "pow overwrites",
        "self.grad += (other",
        "self.grad = (other",
        "overwritten",
        "self.grad = (other",
    ),
    Broken("exponent not lowered", "(other-1)", "other", "rule", "self.data**other)"),
    Broken(
        "exponent not brought down",
        "(other * self.data**(other-1))",
        "self.data**(other-1)",
        "rule",
        "self.data**(other-1)",
    ),
    Broken(
        "factors exchanged",
        "self.grad += other.data",
        "self.grad += self.data",
        "rule",
        "self.grad += self.data",
    ),
    Broken(
        "upstream forgotten",
        "self.data * out.grad\n        out",
        "self.data\n        out",
        "rule",
        "other.grad += self.data",
    ),
    Broken(
        "sign", "self.grad += out.grad", "self.grad -= out.grad", "rule", "self.grad -= out.grad"
    ),
    Broken("not squared", "(1 - t**2)", "(1 - t)", "rule", "(1 - t)"),
    Broken("input for output", "(1 - t**2)", "(1 - x**2)", "rule", "(1 - x**2)"),
    Broken(
        "output for input", "out.data * out.grad", "self.data * out.grad  # exp", "rule", "# exp"
    ),
    Broken(
        "mask forgotten",
        "(out.data > 0) * out.grad",
        "out.grad  # relu",
        "rule",
        "+= out.grad  # relu",
    ),
    Broken("mask of the gradient", "(out.data > 0)", "(out.grad > 0)", "rule", "(out.grad > 0)"),
    Broken("a name that is not there", "(1 - t**2)", "(1 - tt**2)", "rule", "(1 - tt**2)"),
    Broken(
        "reversed minus",
        "return other + (-self)",
        "return self - other",
        "forward",
        "return self - other",
    ),
    Broken(
        "reversed quotient",
        "return other * self**-1",
        "return self * other**-1  # r",
        "forward",
        "**-1  # r",
    ),
    Broken(
        "minus for plus", "return self + (-other)", "return self + other  # s", "forward", "# s"
    ),
    Broken("tanh", "(math.exp(2*x) + 1)", "(math.exp(2*x) + 2)", "forward", "(math.exp(2*x) + 2)"),
    Broken("no seed", "        self.grad = 1\n", "", "seed", "def backward"),
    Broken(
        "another seed",
        "self.grad = 1\n",
        "self.grad = self.data\n",
        "seed",
        "self.grad = self.data\n",
    ),
    Broken("not reversed", "reversed(topo)", "topo", "order", "for v in topo"),
    Broken("all that was visited", "reversed(topo)", "list(visited)", "order", "list(visited)"),
    Broken(
        "depth first",
        _BACKWARD,
        _BACKWARD.replace(_BUILD, _APPEND + _CHILDREN).replace("reversed(topo)", "topo"),
        "order",
        "topo.append",
    ),
    Broken("level by level", _BACKWARD, _LEVEL_BY_LEVEL, "order", "queue.append"),
    Broken("recursively", _BACKWARD, _RECURSIVELY, "order", "self._backward()"),
    Broken("visited twice", "if v not in visited", "if True", "order", "topo.append"),
    Broken(
        "called twice",
        "            v._backward()\n",
        "            v._backward()\n            v._backward()  # again\n",
        "fired twice",
        "# again",
    ),
    Broken(
        "rule not attached",
        "other.grad += out.grad\n        out._backward = _backward",
        "other.grad += out.grad",
        "sends nothing",
        "out = Value(self.data + other.data",
    ),
    Broken(
        "one operand forgotten",
        "            other.grad += self.data * out.grad\n",
        "",
        "sends nothing",
        "def _backward():\n            self.grad += other.data",
    ),
    Broken(
        "operand not entered",
        "Value(math.exp(x), (self,), 'exp')",
        "Value(math.exp(x), (), 'exp')",
        "never sent",
        "Value(math.exp(x), (),",
    ),
)
