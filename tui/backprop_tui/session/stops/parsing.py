"""A breakpoint as one types it: `x if abs(grad) > 10`, `mul`, `backward y`, `if isnan(grad)`."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

from backprop_engine.basics.source import ProblemError, Span
from backprop_engine.basics.suggestions import did_you_mean
from backprop_engine.reading.conditions import compile_condition
from backprop_engine.trace import Missing, Trace
from backprop_engine.trace.abilities import Spells
from backprop_tui.session.stops.state import ANYWHERE, Breakpoint, Place, PlaceKind

_PARTS: Final = re.compile(r"\s*(?P<place>.*?)\s*(?:(?:^|(?<=\s))if(?:\s+(?P<condition>.*))?)?$")
_KINDS: Final = {
    "node": PlaceKind.NODE,
    "operation": PlaceKind.OPERATION,
    "any": PlaceKind.OPERATION,
    "pass": PlaceKind.PASSES,
}
_EXPECTED: Final = "a node, an operation or a pass; then `if` and a condition, or both alone"


def parse_breakpoint(text: str, trace: Trace) -> Breakpoint:
    """The breakpoint that `text` is. Raises ProblemError, with places in `text`."""
    parts = _PARTS.fullmatch(text)
    if parts is None:
        raise ProblemError("this is not in one line", Span(0, len(text)))
    written = parts["place"]
    condition = (parts["condition"] or "").strip()
    if not written and not condition:
        raise ProblemError("there is nothing to stop at", Span(0, len(text)), _EXPECTED)
    place = _place(written, parts.start("place"), trace)
    if condition:  # behind blanks, its places are those in `text`
        compile_condition(condition.rjust(len(text.rstrip())))
    return Breakpoint(place, condition)


def _place(written: str, start: int, trace: Trace) -> Place:
    if written in ("", "anywhere"):
        return ANYWHERE
    word, _, rest = written.partition(" ")
    kinds = list(PlaceKind)
    name = written
    if word in _KINDS and rest.strip() and written not in _passes(trace):
        kinds, name = [_KINDS[word]], rest.strip()
    for kind in kinds:
        if (place := _of_kind(kind, name, trace)) is not None:
            return place
    span = Span(start, start + len(written))
    by_kind = {
        PlaceKind.NODE: trace.names,
        PlaceKind.OPERATION: _operations(trace),
        PlaceKind.PASSES: _passes(trace),
    }
    known = [name for kind in kinds for name in by_kind.get(kind, ())]
    if trace.named(name) is not None:
        raise ProblemError(f"`{name}` takes part in no step", span)
    kind_text = "node, operation or pass" if len(kinds) > 1 else str(kinds[0])
    raise ProblemError(
        f"there is no {kind_text} `{name}`", span, _EXPECTED, did_you_mean(name, known)
    )


def _of_kind(kind: PlaceKind, name: str, trace: Trace) -> Place | None:
    match kind:
        case PlaceKind.NODE:
            node = trace.named(name)
            return Place(kind, name) if node is not None and trace.visits(node) else None
        case PlaceKind.OPERATION:
            spells = trace.can(Spells)
            if isinstance(spells, Missing):
                return Place(kind, name) if name in _operations(trace) else None
            operation = spells.operation(name)
            return None if operation is None else Place(kind, operation)
        case PlaceKind.PASSES:
            return Place(kind, name) if name in _passes(trace) else None
        case _:
            return None


def _operations(trace: Trace) -> Collection[str]:
    """The names that may be meant; those at work here, where the producer tells no others."""
    spells = trace.can(Spells)
    if not isinstance(spells, Missing):
        return spells.operations
    return {trace.nodes.operation_name(node) for node in trace.nodes.computed.tolist()}


def _passes(trace: Trace) -> list[str]:
    return [pass_.name for pass_ in trace.passes if pass_.start < pass_.stop]
