"""Original and current run side by side: what differs, and by how much."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.values import Known, same
from backprop_engine.trace import Trace
from backprop_tui.session.session import Session
from backprop_tui.session.whatif.state import Difference


def difference(original: Trace, current: Trace) -> Difference:
    """What the values and the running sums of `current` have that `original` has not."""
    return Difference(
        _differing(original.nodes.value, current.nodes.value),
        _differing(original.totals, current.totals),
    )


def _differing(ours: Sequence[Known | None], other: Sequence[Known | None]) -> bytearray:
    return bytearray(not same(a, b) for a, b in zip(ours, other, strict=True))


def value_differs(session: Session, node: int) -> bool:
    """Whether `node` has another value than in the original."""
    found = session.whatif.difference
    return found is not None and bool(found.values[node])


def gradient_differs(session: Session, node: int) -> bool:
    """Whether the gradient that `node` has at the cursor is another than in the original."""
    found = session.whatif.difference
    if found is None:
        return False
    steps = session.trace.receipts(node)
    last = bisect_left(steps, session.cursor) - 1
    if last < 0 or steps[last] < session.trace.shown_pass(session.cursor).start:
        return False
    return bool(found.totals[steps[last]])


@dataclass(frozen=True, slots=True)
class Row:
    """One name with what it was and what it is."""

    name: str
    original: Known | None
    current: Known | None
    is_edited: bool = False

    @property
    def is_changed(self) -> bool:
        """Whether the two differ."""
        return not same(self.original, self.current)


def rows(session: Session) -> list[Row]:
    """What was edited, what the named values come to, and every `.grad` at the end."""
    trace, whatif = session.trace, session.whatif
    original = trace if whatif.original is None else whatif.original
    named = [node for node in trace.assigned.values() if node not in whatif.values]
    outputs = [pass_.output for pass_ in trace.passes if pass_.output is not None]
    was, now, end = original.nodes.value, trace.nodes.value, len(trace)
    found = []
    for node in whatif.values:
        is_named = node in trace.nodes.names
        name = trace.label(node) if is_named else f"constant {original.label(node)}"
        found.append(Row(name, was[node], now[node], is_edited=True))
    others = dict.fromkeys((*outputs, *named))
    found += [Row(trace.label(node), was[node], now[node]) for node in others]
    for node in trace.nodes.keeping_grad:
        name = f"{trace.label(node)}.grad"
        found.append(Row(name, original.grad(node, end), trace.grad(node, end)))
    return found
