"""What the formulas of elementwise operations come to, their numbers filled in."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping

import numpy as np
import pytest

from backprop_engine.basics import notation
from backprop_engine.basics.source import Source
from backprop_engine.catalogue import OPERATIONS
from backprop_engine.mathematics.text import text_of
from backprop_engine.mathematics.tree import Branch, Form, Strength, Tree, strength
from backprop_engine.operation import Operation
from backprop_engine.run.explaining import CatalogueExplains
from backprop_engine.run.record import record
from backprop_engine.run.tape import graph_of
from backprop_engine.scenarios.loader import parse_shorthand

FUNCTIONS: Mapping[str, Callable[..., float]] = {
    **{name: getattr(math, name) for name in ("exp", "log", "sin", "cos", "tan", "sinh", "cosh")},
    **{name: getattr(math, name) for name in ("tanh", "erf", "erfc", "atan2", "trunc", "fmod")},
    "arcsin": math.asin, "arccos": math.acos, "arctan": math.atan, "arsinh": math.asinh,
    "arcosh": math.acosh, "artanh": math.atanh, "log₂": math.log2, "log₁₀": math.log10,
    "σ": lambda x: 1 / (1 + math.exp(-x)), "sign": lambda x: math.copysign(1.0, x) if x else 0.0,
    "softplus": lambda x: math.log1p(math.exp(x)), "max": max, "min": min,
    "relu": lambda x: max(x, 0.0), "float": float,
    "Φ": lambda x: (1 + math.erf(x / math.sqrt(2))) / 2,
    "φ": lambda x: math.exp(-x * x / 2) / math.sqrt(2 * math.pi),
}  # fmt: skip
SIGNS: Mapping[str, Callable[[float, float], float]] = {
    "+": lambda a, b: a + b, "−": lambda a, b: a - b, "·": lambda a, b: a * b,
    "/": lambda a, b: a / b, "mod": lambda a, b: a - b * math.floor(a / b),
    "=": lambda a, b: float(a == b), "≠": lambda a, b: float(a != b),
    "<": lambda a, b: float(a < b), "≤": lambda a, b: float(a <= b),
    ">": lambda a, b: float(a > b), "≥": lambda a, b: float(a >= b),
}  # fmt: skip


UNARY: Mapping[str, Callable[[float], float]] = {
    "−": lambda a: -a, "+": lambda a: a, "√": math.sqrt, "log ": math.log, "¬": lambda a: not a,
    "|": abs, "⌊": math.floor, "⌈": math.ceil, "[": float,
}  # fmt: skip
NAMED = {"π": math.pi, "True": 1.0, "False": 0.0}


class Open(Exception):  # noqa: N818 - no error: there is nothing to compute
    """The formula has something in it that is told in words."""


def looked_up(known: Mapping[str, Callable[..., float]], sign: str) -> Callable[..., float]:
    if sign not in known:
        raise Open(sign)
    return known[sign]


def value_of(tree: Tree) -> float:
    """What a formula of numbers comes to."""
    if not isinstance(tree, Branch):
        return _number(tree)
    match tree.form:
        case Form.CALL:
            function = looked_up(FUNCTIONS, text_of(tree.parts[0]))
            return function(*map(value_of, tree.parts[1:]))
        case Form.CHAIN:
            return _chain(tree)
        case Form.PREFIX | Form.FENCE:
            return looked_up(UNARY, tree.signs[0])(value_of(tree.parts[0]))
        case Form.POWER:
            base, exponent = map(value_of, tree.parts)
            return float(base**exponent)
    raise Open(text_of(tree))


def _number(tree: Tree) -> float:
    text = text_of(tree).replace("−", "-")
    try:
        return NAMED[text] if text in NAMED else float(text)
    except ValueError:
        raise Open(text) from None


def _chain(tree: Branch) -> float:
    if strength(tree) is Strength.CONDITION:  # `1 if a > b else 1/2 if a = b else 0`
        answer, condition, *rest = tree.parts
        if value_of(condition):
            return value_of(answer)
        return value_of(rest[0] if len(rest) == 1 else Branch(tree.form, (*rest,), tree.signs[2:]))
    if strength(tree) is Strength.COMMA:  # `0 if a ≤ −3, a/3 + 1/2 if a < 3, else 1`
        for part in tree.parts[:-1]:
            if not isinstance(part, Branch) or part.signs != (" if ",):
                raise Open(text_of(tree))
            if value_of(part.parts[1]):
                return value_of(part.parts[0])
        last = tree.parts[-1]
        return value_of(last.parts[0] if isinstance(last, Branch) else last)
    signs = [looked_up(SIGNS, sign.strip()) for sign in tree.signs]
    first, *others = map(value_of, tree.parts)
    if strength(tree) is Strength.COMPARISON:
        pairs = itertools.pairwise((first, *others))
        return float(all(sign(*pair) for sign, pair in zip(signs, pairs, strict=True)))
    for sign, other in zip(signs, others, strict=True):
        first = sign(first, other)
    return first


ELEMENTWISE = [
    one.name for one in OPERATIONS.values() if one.elementwise and one.description.example
]


def numbers_in(operation: Operation) -> Iterator[tuple[Tree, float]]:
    """Formulas of its example with all numbers filled in, and what was recorded."""
    trace = record(parse_shorthand(Source("<-e>", operation.description.example)))
    graph = graph_of(trace)
    for node, made_by in enumerate(graph.operation):
        operands = graph.operands[node]
        scalar = not any(isinstance(graph.value[one], np.ndarray) for one in (node, *operands))
        if made_by is not operation or not scalar:
            continue
        explains, attributes = CatalogueExplains(graph), graph.attributes_of(node)

        def exact(one: int) -> str:
            return notation.number(graph.value[one])

        yield explains.output(node).tree(exact), float(graph.value[node])
        values = [graph.value[operand] for operand in operands]
        for at in range(len(operation.derivatives[: len(operands)])):
            local = explains.local(node, at)
            if local is not None:
                sent = operation.send(at, 1.0, graph.value[node], values, attributes)
                yield local.tree(exact), float(sent)


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_a_formula_of_numbers_comes_to_what_was_recorded(name):
    operation = OPERATIONS[name]
    for tree, recorded in numbers_in(operation):
        try:
            found = value_of(tree)
        except Open:
            continue
        assert found == pytest.approx(recorded, rel=1e-6, abs=1e-12, nan_ok=True), text_of(tree)


def test_most_elementwise_formulas_are_closed():
    closed = 0
    for name in ELEMENTWISE:
        for tree, _ in numbers_in(OPERATIONS[name]):
            try:
                value_of(tree)
            except Open:
                continue
            closed += 1
    assert closed > 100
