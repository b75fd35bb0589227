"""The programs on which an engine is tried where no scenario is named.

Each operation by itself first, with an upstream gradient that is not 1; then with operands that are
used again; then orders. A wrong order must not come out right by luck, whatever order a `set` has:

- two branches of the same length, both ways round: an order that goes deep first is caught;
- a short branch beside a long one: an order that goes level by level is caught;
- values that are used by the next one and by a later one, and a long chain: so is any other.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cache

from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.source import Source
from backprop_engine.run.record import record
from backprop_engine.scenarios.loader import parse_document, parse_shorthand
from backprop_engine.trace import Trace

_OPERATIONS = (
    "x + z", "x * z", "x + 2", "2 + x", "x * 3", "3 * x", "-x", "x - z", "x - 2", "2 - x",
    "x / z", "x / 2", "2 / x", "x**2", "x**3", "x**-1", "x**0.5",
)  # fmt: skip
_FUNCTIONS = (
    "exp", "log", "tanh", "sigmoid", "relu", "sqrt", "sin", "cos", "abs", "leaky_relu", "softplus",
    "silu", "gelu", "square", "reciprocal",
)  # fmt: skip
_ORDERS = (
    "m = x*w, f = m+x, g = m*w, y = f*g",
    "m = x*w, k = m*x, l = k*w, y = m*l",
    "m = x*w, k = m*x, l = k*w, y = l*m",
    "m = x*w, y = m*m*x",
    "a = x*w, b = a+x, c = b*a, d = c+a, e = d*b, y = e*c",
    "a = x*w, b = a*x, c = b+x, d = c*w, e = d*x, f = e+w, g = f*w, h = g*x, i = h+x, y = i*w",
)
_IN_ARRAYS = (
    "y = ((A + A)*A).sum()", "y = ((A + b)*A).sum()", "y = ((b + A)*A).sum()",
    "y = ((A*b)*A).sum()", "y = ((b*A)*A).sum()", "y = ((A - b)*A).sum()", "y = ((b - A)*A).sum()",
    "y = ((A/b)*A).sum()", "y = ((b/A)*A).sum()", "y = ((A*c)*A).sum()", "y = ((A + c)*A).sum()",
    "y = ((x*A)*A).sum()", "y = ((x + A)*A).sum()", "y = ((A*2 + 1)*A).sum()",
    "y = ((A@B)*D).sum()", "P = A@B, y = (P*P).sum()", "y = ((A@A.T)*E).sum()",
    "y = A.mean()*x", "y = (A*A).mean()", "y = (A.sum(dim=0)*b).sum()",
    "y = (A.sum(dim=1, keepdim=True)*c).sum()", "y = (A.mean(dim=0)*b).sum()",
    "y = (A.reshape(3, 2)*B3).sum()", "y = (A.T*B3).sum()", "y = (relu(A)*A).sum()",
    "y = (tanh(A)*A).sum()", "y = (exp(A)*A).sum()", "y = (sigmoid(A)*A).sum()",
    "y = (log(A*A)*A).sum()", "y = (A**2*A).sum()", "y = (A.max()*x)",
    "y = (softmax(A, dim=1)*A).sum()", "y = (log_softmax(A, dim=1)*A).sum()",
)  # fmt: skip
_NUMBERS = "x = 1.7, z = 0.6, w = -2.4"
_ARRAYS = (
    "x = 1.7, A = [[0.3, -1.2, 2.1], [1.4, 0.7, -0.9]], b = [0.8, -1.6, 1.1], c = [[1.3], [-0.4]], "
    "B = [[0.5, 1.2], [-0.7, 0.9], [1.6, -1.1]], D = [[2.2, -0.6], [0.4, 1.5]], "
    "E = [[0.9, -1.3], [1.8, 0.2]], B3 = [[1.1, -0.3], [0.6, 2.4], [-1.7, 0.5]]"
)
_TWICE = "inputs: {x: 1.7, w: -2.4}\ncompute: |\n  m = x*w\n  y = m*x\nbackward: [y, y]\n"


@dataclass(frozen=True, eq=False, slots=True)
class Probe:
    """A small program."""

    text: str
    trace: Trace
    remark: str = ""
    """What it tries, where what comes of that is no mistake: a second backward pass means one thing
    to torch, and another to many an engine that is right as far as it goes."""


def probes(*, arrays: bool) -> Iterator[Probe]:
    """The programs in order; those on arrays for an engine that is made for them."""
    yield from map(_of_numbers, _operations())
    for program in _ORDERS:
        yield _of_numbers(program)
    if arrays:
        yield from map(_of_arrays, _IN_ARRAYS)
    unused = _of_numbers("m = x*w, other = m*x, k = m+w, y = k*m")
    yield replace(unused, remark="a branch that the output does not use")
    for program in ("y = (x**z)*w", "y = (2**x)*w"):
        yield replace(_of_numbers(program), remark="an exponent that is a value")
    yield _twice()


def _operations() -> Iterator[str]:
    for term in _OPERATIONS:
        yield f"y = ({term})*w"
    for name in _FUNCTIONS:
        yield f"y = {name}(x)*w"
        yield (
            f"y = {name}(w)*z"
            if name in ("relu", "abs", "leaky_relu")
            else f"y = {name}({name}(x))*w"
        )
    yield "y = (x + x)*w"
    yield "y = (x * x)*w"
    for term in (*_OPERATIONS, *(f"{name}(x)" for name in _FUNCTIONS)):
        yield f"p = {term}, q = {term}, y = p*w + q*z"


@cache
def _of_numbers(program: str) -> Probe:
    names = [each for each in _NUMBERS.split(", ") if _is_used(each[0], program)]
    text = ", ".join([*names, program])
    return Probe(text, record(parse_shorthand(Source("<probe>", text))))


@cache
def _of_arrays(program: str) -> Probe:
    inputs = [each for each in _split(_ARRAYS) if _is_used(each.split(" ")[0], program)]
    text = ", ".join([*inputs, program])
    return Probe(text, record(parse_shorthand(Source("<probe>", text))))


@cache
def _twice() -> Probe:
    trace = record(parse_document(Source("<probe>", _TWICE)))
    return Probe(
        "x = 1.7, w = -2.4, m = x*w, y = m*x; backward y, twice",
        trace,
        "a second `backward` of one graph",
    )


def _split(inputs: str) -> list[str]:
    return re.split(r", (?=\w+ = )", inputs)


def _is_used(name: str, program: str) -> bool:
    return re.search(rf"\b{name}\b", program) is not None
