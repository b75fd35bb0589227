"""The texts of the catalogue are mathematics, in every language it is told in."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from backprop_engine.basics import notation
from backprop_engine.catalogue import OPERATIONS
from backprop_engine.catalogue.subscripts import FROM_OPERAND
from backprop_engine.mathematics.latex import latex
from backprop_engine.mathematics.parser import parse
from backprop_engine.mathematics.text import text_of
from backprop_engine.mathematics.tree import Branch, Hole, Text, Tree, filled, partial
from backprop_engine.operation import REQUIRED, Kind, Operation, chosen

VARIANTS: tuple[Mapping[str, Any], ...] = (
    {}, {"p": 3.0}, {"p": math.inf}, {"p": -math.inf}, {"p": 1.0}, {"dim": -1}, {"dim": (0, 1)},
    {"alpha": 2.0}, {"value": 2.0}, {"beta": 0.5}, {"reduction": "none"}, {"reduction": "sum"},
    {"approximate": "tanh"}, {"min": None}, {"max": 2.0}, {"log_input": False}, {"output": 1},
    {"log_target": True}, {"label_smoothing": 0.1}, {"training": False}, {"decimals": 2},
)  # fmt: skip
NUMBERS = (None, 0.0, 1.0, 2.0, 3.0, -1.0, -math.inf)
REDUNDANT = {"{b}·{a}⁰", "−(({a}⁻¹)ᵀ @ {g}) @ {y}ᵀ"}
"""Texts that are told with fewer brackets than they are written with."""


def templates_of(operation: Operation) -> Iterator[Any]:
    yield operation.description.notation
    for derivative in operation.derivatives:
        yield from (one for one in (derivative.local, derivative.vjp) if one is not None)


def texts_of(operation: Operation) -> set[str]:
    """Its templates for many attributes, with and without operands that may be left out."""
    named = [
        parameter
        for parameter in operation.spelling.parameters
        if parameter.kind not in (Kind.OPERAND, Kind.OPERANDS)
    ]
    defaults: dict[str, Any] = {"output": 0, "items": (1, slice(None, -2), FROM_OPERAND, Ellipsis)}
    for one in named:
        default = 1 if one.default is REQUIRED else one.default
        defaults[one.name] = one.choices[0] if one.choices else default
    fewest = sum(
        parameter.kind is Kind.OPERAND and parameter.default is REQUIRED
        for parameter in operation.spelling.parameters
    )
    most = max(fewest, len(operation.derivatives))
    counts = range(2, 9) if operation.variadic else range(max(fewest, 1), most + 1)
    found = set()
    for template in templates_of(operation):
        for attributes, count, number in itertools.product(VARIANTS, counts, NUMBERS):
            kept = {name: one for name, one in attributes.items() if name in defaults}
            numbers = [None, *[number] * (count - 1)]
            try:
                found.add(chosen(template, numbers, defaults | kept))
            except IndexError:
                assert count < most  # for an operand that is not there
    return found


TEXTS = {name: texts_of(operation) for name, operation in OPERATIONS.items()}


def branches(tree: Tree) -> Iterator[Tree]:
    waiting = [tree]
    while waiting:
        one = waiting.pop()
        yield one
        waiting.extend(one.parts if isinstance(one, Branch) else ())


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_text_of_the_catalogue_is_mathematics_and_is_told_as_it_is_written(name):
    for text in TEXTS[name]:
        tree = parse(text)
        told = text_of(tree)
        if text not in REDUNDANT and not text.startswith("("):
            assert told == text
        assert parse(told) == tree
        for branch in branches(tree):
            if isinstance(branch, Text):
                assert re.fullmatch(r"[\w.\u0302∠…½∞:−]+", branch.text), "no sign is left in a name"


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_text_of_the_catalogue_has_a_plain_form_for_ascii_terminals(name):
    operation = OPERATIONS[name]
    words = [
        operation.description.words,
        *(derivative.words for derivative in operation.derivatives),
    ]
    assert [text for text in (*TEXTS[name], *words) if "?" in notation.plain(text)] == []


COMMANDS = r"""
    \angle \approx \bmod \cdot \cos \cosh \det \dots \exp \frac \ge \hat \infty \lceil \le \lfloor
    \lnot \log \mathrm \max \min \ne \odot \operatorname \oplus \otimes \partial \pi \prod \rceil
    \rfloor \sigma \sim \sin \sinh \sqrt \star \sum \tan \tanh \text \tfrac \times \top \varphi \vee
    \wedge \Phi \Vert \, \& \_
"""


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_text_of_the_catalogue_becomes_latex_that_compiles(name):
    for text in TEXTS[name]:
        holes = {
            branch.name: Text(branch.name)
            for branch in branches(parse(text))
            if isinstance(branch, Hole)
        }
        holes["g"] = partial("L", "y@2")
        written = latex(filled(parse(text), holes))
        assert written.isascii()
        assert "?" not in written
        assert set(re.findall(r"\\(?:[a-zA-Z]+|.)", written)) <= set(COMMANDS.split())
        depths = list(itertools.accumulate({"{": 1, "}": -1}.get(sign, 0) for sign in written))
        assert min(depths) >= 0 == depths[-1]
        assert "^" not in re.sub(r"\^\{", "", written)
