"""The parts of a scenario file that speak about its names.

These are `backward`, `expect`, `hints` and `disagrees`. Every function raises ProblemError at the
place that is wrong.
"""

from __future__ import annotations

import re
from typing import Final

from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.source import ProblemError
from backprop_engine.basics.suggestions import did_you_mean, listed
from backprop_engine.basics.values import Dtype
from backprop_engine.program.names import Names
from backprop_engine.program.scenario import (
    DEFAULT_TOLERANCE,
    Backward,
    Expectation,
    Hint,
    ZeroGrad,
)
from backprop_engine.scenarios.yaml_arrays import read_number, read_value
from backprop_engine.scenarios.yaml_document import Listing, Node, Scalar, Table

ORACLES: Final = ("torch", "finite_difference", "symbolic")
"""The independent computations that `disagrees` can name."""

_ZERO_ONE = re.compile(r"(.+)\.grad\.zero_(?:\(\s*\))?")
_CALL = re.compile(r"(.+)\.backward\(.*\)")


def read_text(node: Node, what: str) -> str:
    """A text (numbers count as text too)."""
    if isinstance(node, Scalar) and not node.is_null:
        return node.text
    raise ProblemError(f"{what} must be a text", node.span, "a text")


def read_table(node: Node, what: str, form: str) -> Table:
    """A mapping that is not empty."""
    if isinstance(node, Table):
        return node
    fix = ""
    if isinstance(node, Scalar) and re.match(r"\w+:\S", node.text):
        fix = "put a blank after the colon"
    raise ProblemError(f"{what} must be a mapping", node.span, form, fix)


def read_passes(node: Node, names: Names, dtype: Dtype) -> tuple[Backward | ZeroGrad, ...]:
    """`backward`: one pass, or a list of them."""
    items = node.items if isinstance(node, Listing) else (node,)
    if not items:
        raise ProblemError(
            "`backward` lists no pass",
            node.span,
            "at least one",
            "leave `backward` out for the last name assigned",
        )
    return tuple(_read_pass(item, names, dtype) for item in items)


def _read_pass(node: Node, names: Names, dtype: Dtype) -> Backward | ZeroGrad:
    if isinstance(node, Table):
        return _read_seeded(node, names, dtype)
    if not isinstance(node, Scalar) or node.is_null:
        raise ProblemError(
            "this is not a backward pass",
            node.span,
            "a name, `zero_grad`, `x.grad.zero_()` or `{of: NAME, gradient: VALUE}`",
        )
    text = node.text.strip()
    if text in ("zero_grad", "zero_grad()"):
        return ZeroGrad(node.span)
    zeroed = _ZERO_ONE.fullmatch(text)
    if zeroed:
        return ZeroGrad(node.span, names.grad(zeroed[1], node.span))
    called = _CALL.fullmatch(text)
    if called:
        raise ProblemError(
            f"`{text}` is a call; here only the name is written",
            node.span,
            fix=f"write `{called[1]}`",
        )
    return Backward(names.value(text, node.span, "zero_grad"), None, node.span)


def _read_seeded(node: Table, names: Names, dtype: Dtype) -> Backward:
    form = "`{of: NAME, gradient: VALUE}`"
    node.check(" in a backward pass", ("of", "gradient"), expected=form)
    of, gradient = node.get("of"), node.get("gradient")
    if of is None:
        raise ProblemError("this pass does not say of which name", node.span, form)
    output = names.value(read_text(of, "`of`"), of.span)
    seed = None if gradient is None else read_value(gradient, dtype)
    return Backward(output, seed, of.span)


@dataclass(frozen=True, slots=True)
class Expected:
    """The section `expect`: values to come out, or some text of an error."""

    values: tuple[Expectation, ...] = ()
    error: str | None = None


def read_expect(node: Node, names: Names) -> Expected:
    """`expect`: name or `x.grad` to value; or `error: text`."""
    table = read_table(node, "`expect`", "`name: value` or `x.grad: value`")
    error = table.get("error")
    if error is not None and "error" not in names:
        if len(table.entries) > 1:
            raise ProblemError(
                "`error` stands alone: after an error there are no values",
                next(key.span for key, _ in table.entries if key.text != "error"),
            )
        text = read_text(error, "`error`")
        if not text.strip():
            raise ProblemError("`error` is empty", error.span, "some words of the error's message")
        return Expected(error=text)
    tolerance = DEFAULT_TOLERANCE
    entries = list(table.entries)
    common = table.get("tolerance")
    if common is not None and "tolerance" not in names:
        tolerance = _read_tolerance(common)
        entries = [(key, value) for key, value in entries if key.text != "tolerance"]
    return Expected(
        tuple(_read_expectation(key, value, names, tolerance) for key, value in entries)
    )


def expected_error(document: Node | None) -> str | None:
    """The text of `expect: {error: text}`, of a document that may be bad everywhere else."""
    expect = document.get("expect") if isinstance(document, Table) else None
    error = expect.get("error") if isinstance(expect, Table) else None
    return error.text if isinstance(error, Scalar) and error.text.strip() else None


def _read_expectation(key: Scalar, node: Node, names: Names, tolerance: float) -> Expectation:
    is_grad = key.text.endswith(".grad")
    mentioned = key.text.removesuffix(".grad")
    name = names.grad(mentioned, key.span) if is_grad else names.value(mentioned, key.span)
    if isinstance(node, Table):
        options = ("value", "tolerance")
        node.check(" in an expectation", options, expected="`value` and `tolerance`")
        own, value = node.get("tolerance"), node.get("value")
        if value is None:
            raise ProblemError("this expectation has no `value`", node.span)
        tolerance = tolerance if own is None else _read_tolerance(own)
        node = value
    if isinstance(node, Scalar) and node.is_null:
        if not is_grad:
            raise ProblemError(
                f"`{name}` always has a value",
                node.span,
                "a number or a list",
                "only a `.grad` can be null",
            )
        return Expectation(name, is_grad, None, tolerance, key.span)
    return Expectation(name, is_grad, read_value(node, "float64"), tolerance, key.span)


def _read_tolerance(node: Node) -> float:
    tolerance = read_number(node)
    if not tolerance >= 0:
        raise ProblemError("a tolerance is 0 or more", node.span)
    return tolerance


def read_hints(node: Node, names: Names) -> dict[str, Hint]:
    """`hints`: name to sentence."""
    table = read_table(node, "`hints`", "`name: sentence`")
    return {
        names.value(key.text, key.span): Hint(read_text(value, "a hint"), key.span)
        for key, value in table.entries
    }


def read_disagrees(node: Node, names: Names) -> dict[str, frozenset[str]]:
    """`disagrees`: input to the oracles known to give another gradient."""
    table = read_table(node, "`disagrees`", "`x: [finite_difference]`")
    return {names.input(key.text, key.span): _read_oracles(value) for key, value in table.entries}


def _read_oracles(node: Node) -> frozenset[str]:
    items = node.items if isinstance(node, Listing) else (node,)
    oracles = set()
    for item in items:
        oracle = read_text(item, "an oracle")
        if oracle not in ORACLES:
            raise ProblemError(
                f"unknown oracle `{oracle}`",
                item.span,
                listed(ORACLES),
                did_you_mean(oracle, ORACLES),
            )
        oracles.add(oracle)
    return frozenset(oracles)
