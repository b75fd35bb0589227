"""An edit as one types it: `2.5`, `x = -1e-3`, `W[0,1] = 2.5`, `W = [[1, 2], [3, 4]]`."""

from __future__ import annotations

import math
import re
from typing import Any, Final

import numpy as np

from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.nested import nested_array
from backprop_engine.basics.source import ProblemError, Source, Span
from backprop_engine.basics.suggestions import did_you_mean
from backprop_engine.basics.values import Value, dtype_of, in_full, settle, shape_of
from backprop_engine.budget import check_length
from backprop_engine.grammar import syntax
from backprop_engine.grammar.excerpt import whole
from backprop_engine.grammar.parser import parse_expression
from backprop_engine.grammar.syntax import Expression
from backprop_engine.program.python_numbers import NotWrittenError, literal
from backprop_engine.trace import Trace

_TARGET: Final = re.compile(r"\s*(?P<name>[^\[\]=]*?)\s*(?P<index>\[.*?\])?\s*(?<![=!<>])=(?!=)")
_NUMBER: Final = "a number such as 2, -0.5, 1e-3, nan or inf"
_LIST: Final = "a number, or a list of numbers"
_WORDS: Final = {"nan": math.nan, "inf": math.inf, "true": True, "false": False}


@dataclass(frozen=True, eq=False, slots=True)
class Edit:
    """Another value for a leaf."""

    node: int
    value: Value
    """All of it, in the shape and dtype of what it replaces."""
    index: tuple[int, ...] | None
    """The one element that was meant; None for the whole or a part."""


def parse_edit(text: str, trace: Trace, selected: int | None) -> Edit:
    """The edit that `text` is; without a name before `=` it means the leaf `selected`.

    Raises ProblemError, with places in `text`.
    """
    check_length(text)
    target = _TARGET.match(text)
    node = selected
    start = 0
    if target is not None:
        start = target.end()
        if target["name"]:
            node = _named(target["name"], Span(*target.span("name")), trace)
    if node is None:
        raise ProblemError("which input is meant?", Span(0, len(text)), "such as `x = 3`")
    _check_leaf(trace, node, Span(0, max(start - 1, 1)))
    old = in_full(trace.nodes.value[node])
    if not text[start:].strip():
        raise ProblemError("a value is missing here", Span(len(text), len(text)), _LIST)
    if target is not None and target["index"]:
        return _part(text, trace, node, Span(*target.span("index")), start)
    root = _parsed(text, start, len(text))
    value = _array(root, dtype_of(old))
    if value.shape != shape_of(old):
        raise ProblemError(_shapes(trace.label(node), old, value.shape), root.span)
    return Edit(node, _settled(value, old, trace), None)


def _named(name: str, span: Span, trace: Trace) -> int:
    node = trace.named(name)
    if node is None:
        raise ProblemError(
            f"there is no `{name}`", span, "an input", did_you_mean(name, trace.nodes.inputs)
        )
    return node


def _check_leaf(trace: Trace, node: int, span: Span) -> None:
    """Raise ProblemError for what is computed, and so has no value of its own."""
    if not trace.is_leaf(node):
        inputs = ", ".join(list(trace.nodes.inputs)[:4])
        raise ProblemError(
            f"`{trace.label(node)}` is computed from others",
            span,
            f"an input or a constant{f', such as {inputs}' if inputs else ''}",
        )


def _parsed(text: str, start: int, stop: int) -> Expression:
    """The expression in a part of `text`; its places are those in `text`."""
    try:
        return parse_expression(whole(Source("", " " * start + text[start:stop])))
    except ProblemError as error:
        problem = error.problem
        raise ProblemError(problem.message, problem.span, _LIST, problem.fix) from None


def _known(expression: Expression) -> Any:
    match expression:
        case syntax.Name(name=name) if name in _WORDS:
            return _WORDS[name]
        case syntax.Attribute(name=("nan" | "inf") as name):
            return _WORDS[name]
        case _:
            raise NotWrittenError(expression.span)


def _array(root: Expression, dtype: str) -> np.ndarray:
    """The numbers written out, as an array of `dtype` (of no axes, for one number)."""

    def items(expression: Expression) -> tuple[Expression, ...] | None:
        return expression.items if isinstance(expression, syntax.Sequence) else None

    return nested_array(root, items, lambda item: _element(item, dtype), dtype)


def _element(expression: Expression, dtype: str) -> float | int | bool:
    try:
        value = literal(expression, _known)
    except NotWrittenError as error:
        raise ProblemError(error.problem.message, error.problem.span, _NUMBER) from None
    if dtype == "bool":
        if value in (True, False):
            return bool(value)
        raise ProblemError("this is no truth value", expression.span, "`true` or `false`")
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise ProblemError("this is no number", expression.span, _NUMBER)
    if dtype == "int64":
        if not float(value).is_integer() or abs(value) >= 2**63:
            raise ProblemError("this is no whole number", expression.span, "an int64")
        return int(value)
    try:
        return float(value)
    except OverflowError:
        raise ProblemError("this number is too large", expression.span, _NUMBER) from None


def _part(text: str, trace: Trace, node: int, place: Span, start: int) -> Edit:
    """`W[0,1] = 2.5`, or a row at once: `W[0] = [1, 2]`."""
    old = in_full(trace.nodes.value[node])
    if not isinstance(old, np.ndarray):
        raise ProblemError(f"`{trace.label(node)}` is a single number, without elements", place)
    index = _index(text, place)
    try:
        chosen = old[index]
    except IndexError:
        raise ProblemError(
            f"there is no such element: `{trace.label(node)}` has shape {old.shape}", place
        ) from None
    root = _parsed(text, start, len(text))
    value = _array(root, dtype_of(old))
    if value.ndim and value.shape != np.shape(chosen):
        name = f"{trace.label(node)}{text[place.start : place.stop]}"
        raise ProblemError(_shapes(name, chosen, value.shape), root.span)
    changed = old.copy()
    changed[index] = value
    is_one = not isinstance(chosen, np.ndarray)
    return Edit(node, changed, _counted(index, old.shape) if is_one else None)


def _index(text: str, place: Span) -> tuple[int | slice, ...]:
    # A name before the bracket makes it an index to the parser: `W[0, 1:]`.
    before = " " * (place.start - 1) + "W" if place.start else "W"
    root = parse_expression(whole(Source("", before + text[place.start : place.stop])))
    if not isinstance(root, syntax.Subscript):
        raise ProblemError("this is no index", place, "such as `[0, 1]`")
    return tuple(_one_index(item) for item in root.items)


def _one_index(expression: Expression) -> int | slice:
    if not isinstance(expression, syntax.Slice):
        return _whole(expression)
    ends = (expression.start, expression.stop, expression.step)
    return slice(*(None if end is None else _whole(end) for end in ends))


def _whole(expression: Expression) -> int:
    value = literal(expression)
    if isinstance(value, bool) or not isinstance(value, int):
        raise ProblemError("an index is a whole number", expression.span)
    return value


def _counted(index: tuple[int | slice, ...], shape: tuple[int, ...]) -> tuple[int, ...]:
    """An index of one element, counted from the start."""
    pairs = zip(index, shape, strict=True)
    return tuple(position % size for position, size in pairs if isinstance(position, int))


def _shapes(name: str, old: Any, shape: tuple[int, ...]) -> str:
    wanted = f"has shape {np.shape(old)}" if np.shape(old) else "is a single number"
    given = f"this has shape {shape}" if shape else "this is one number"
    return f"`{name}` {wanted}, {given}"


def _settled(value: np.ndarray, old: Value, trace: Trace) -> Value:
    settled = settle(value, trace.dtype)
    return settled if isinstance(old, np.ndarray) else type(old)(settled)
