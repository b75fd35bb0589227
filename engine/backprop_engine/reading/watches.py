"""Watches: expressions over a trace's names and their gradients, at any cursor.

`x` is a node's value and `x.grad` its `.grad`, as in torch; of a node that keeps no `.grad`, the
gradient it has received so far in the pass that is shown.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Final, NamedTuple

import numpy as np

from backprop_engine.basics.source import ProblemError, Source
from backprop_engine.basics.suggestions import did_you_mean
from backprop_engine.basics.values import Known, Value
from backprop_engine.budget import check_length
from backprop_engine.grammar import syntax
from backprop_engine.grammar.excerpt import Excerpt, whole
from backprop_engine.grammar.parser import parse_expression
from backprop_engine.grammar.syntax import Expression
from backprop_engine.reading.formula import Formula, as_asked, compile_formula, normed, with_norms
from backprop_engine.trace import Trace

HELP: Final = (
    "A watch is an expression over the names in the graph: x, a*b, %3 + h@2. x.grad is its "
    ".grad as in torch, known once the pass has added it; of a node that keeps none, it is the "
    "gradient received so far; ‖fc.weight.grad‖, or norm(…), is a norm. In a recording a name "
    "without a version is what it means at the moment. What is not known yet is blank. A line "
    "drawn over the timeline shows the value from its lowest to its highest, of an array the "
    "norm; a click there jumps."
)
"""For the help of whoever asks for a watch."""


class Quantity(NamedTuple):
    """What a watch loads: the value of a node, or its gradient."""

    node: int
    is_gradient: bool
    is_norm: bool = False


_LABEL = re.compile(r"%\d+|(?<![\w.@])[^\W\d]\w*@\d+")
"""Names that only the screen has: an invented one, and a version of a name assigned again."""
_PATH = re.compile(r"(?<![\w.@])[^\W\d]\w*(?:\.\w+)+(?:@\d+)?")
"""A parameter of a module: `net.0.weight`, perhaps with `.grad` or a method behind it."""
_AFTER_VALUE = re.compile(r"[\w.)\]]\s*$")


def compile_watch(text: str, trace: Trace, also: Collection[str] = ()) -> Formula:
    """The expression that `text` is, in which the names in `also` are keys of their own.

    Raises ProblemError, with places in `text`.
    """
    check_length(text)
    excerpt, labels = _hide_labels(text, trace)
    names = frozenset([*trace.names, *labels, *also])
    look_up = _LookUp(trace, labels, also)
    try:
        root = parse_expression(excerpt, variables=names)
    except ProblemError as error:
        span = error.problem.span
        if text[span.start : span.stop] == "=":
            raise ProblemError("a watch assigns nothing", span, fix="leave out `=`") from None
        raise
    return compile_formula(text, root, look_up, names)


def watched(
    formula: Formula, trace: Trace, cursor: int, also: Mapping[str, Value] | None = None
) -> Value | None:
    """What a watch comes to at `cursor`; None where something in it is not known yet.

    `also` has the values of names that it was compiled with. Raises OperandError where shapes do
    not fit.
    """

    def known(key: Quantity | str) -> Value | None:
        if isinstance(key, str):
            return (also or {}).get(key)
        if key.is_gradient:
            found = _gradient_at(trace, trace.version_at(key.node, cursor), cursor)
        else:
            found = trace.value_at(key.node, cursor)
        return as_asked(found, is_norm=key.is_norm)

    return formula.value(known)


def _gradient_at(trace: Trace, node: int, cursor: int) -> Known | None:
    """`.grad` of what keeps it; of other nodes the gradient in the pass that is shown."""
    if node in trace.keeping_grad:
        return trace.grad(node, cursor)
    return trace.gradient(node, cursor)


def change_candidates(formula: Formula, trace: Trace) -> np.ndarray:
    """The cursors, ascending int64, at which a watch can differ from the cursor before."""
    found: list[np.ndarray] = [np.empty(0, np.int64)]
    for key in formula.keys:
        if key.is_gradient:
            found += [
                np.asarray(trace.receipts(version), np.int64) + 1
                for version in trace.versions(key.node)
            ]
            found.append(np.asarray(trace.begun_at(key.node), np.int64) + 1)
            # A pass starts afresh, and `.grad` is settled, cleared or zeroed at its end.
            edges = [place for pass_ in trace.passes for place in (pass_.start + 1, pass_.stop)]
            found.append(np.array(edges, np.int64))
        else:
            found.append(np.asarray(trace.begun_at(key.node), np.int64) + 1)
    cursors = np.unique(np.concatenate(found))
    inside: np.ndarray = cursors[(cursors > 0) & (cursors <= len(trace))]
    return inside


class _LookUp:
    """What names and `.grad` stand for in a trace."""

    def __init__(self, trace: Trace, labels: dict[str, str], also: Collection[str]) -> None:
        self._trace = trace
        self._labels = labels
        self._also = also

    def __call__(self, expression: Expression) -> Quantity | str | None:
        if isinstance(expression, syntax.Name) and expression.name in self._also:
            return expression.name
        inner = normed(expression)
        if inner is not None and isinstance(inner, syntax.Name | syntax.Attribute):
            quantity = self(inner)
            return quantity._replace(is_norm=True) if isinstance(quantity, Quantity) else None
        match expression:
            case syntax.Name():
                return Quantity(self._node(expression), False)
            case syntax.Attribute(receiver=syntax.Name() as name, name="grad"):
                return Quantity(self._grad_owner(name), True)
            case syntax.Attribute(name="grad"):
                raise ProblemError(
                    "only a name has a `.grad`", expression.name_span, fix="write `x.grad`"
                )
            case _:
                return None

    def _node(self, name: syntax.Name) -> int:
        label = self._labels.get(name.name, name.name)
        node = self._trace.named(label)
        if node is None:
            raise ProblemError(
                f"unknown name `{label}`",
                name.span,
                expected="a name of the graph, or its gradient: `x`, `x.grad`",
                fix=did_you_mean(label, self._trace.names),
            )
        return node

    def _grad_owner(self, name: syntax.Name) -> int:
        node = self._trace.nodes.inputs.get(name.name)
        node = self._node(name) if node is None else node
        if not self._trace.nodes.requires_grad[node]:
            label = self._trace.label(node)
            raise ProblemError(f"`{label}` requires no grad and has no gradient", name.span)
        return node


def _hide_labels(text: str, trace: Trace) -> tuple[Excerpt, dict[str, str]]:
    """`text` with its labels as names that the grammar has, and which label each stands for."""
    labels: dict[str, str] = {}
    edits: list[tuple[int, int, str]] = []
    for found in _labels(text, trace):
        name = f"label_{len(labels)}_"
        labels[name] = found[0]
        edits.append((*found.span(), name))
    return with_norms(whole(Source("watch", text)).edited(edits)), labels


def _labels(text: str, trace: Trace) -> Iterable[re.Match[str]]:
    paths = [path for found in _PATH.finditer(text) if (path := _path(found, trace)) is not None]
    inside = {at for path in paths for at in range(*path.span())}
    others = [found for found in _written(text, trace) if found.start() not in inside]
    return sorted([*paths, *others], key=lambda found: found.start())


def _path(found: re.Match[str], trace: Trace) -> re.Match[str] | None:
    """The longest beginning that is a name of the graph, and not a plain one."""
    stop = found.end()
    while trace.named(found.string[found.start() : stop]) is None:
        stop = found.string.rfind(".", found.start(), stop)
        if stop < 0:
            return None
    return re.compile(r"[\w.@]+").fullmatch(found.string, found.start(), stop)


def _written(text: str, trace: Trace) -> Iterable[re.Match[str]]:
    for found in _LABEL.finditer(text):
        if found[0].startswith("%"):
            # After a value it is a remainder.
            if not _AFTER_VALUE.search(text, 0, found.start()):
                yield found
        elif trace.named(found[0]) is not None:
            # `A@2` that is no version is a product with a number, and refused as one.
            yield found
