"""The inside of an operation beside its outside: what both send to the operands."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.values import Value, full_like, in_full, kept, norm_of
from backprop_engine.checking.compare import Comparison, compare
from backprop_engine.trace import Missing, Pass, PassKind, Trace
from backprop_engine.trace.abilities import MissingError, Opens

_RELATIVE: Mapping[str, float] = {"float64": 1e-7, "float32": 1e-4}
"""How far apart two ways to compute one thing may come out, end to end; torch has a few slopes
(1/6 in hardsigmoid) in 32 bits only."""


@dataclass(frozen=True, eq=False)
class Opened:
    """The inside of `node`, an application of a composite operation."""

    outer: Trace
    node: int
    pass_: Pass | None
    """The backward pass outside whose upstream gradient goes in; None where none reaches it."""
    trace: Trace
    """Forward, and then backward from the upstream gradient if there is one."""


@dataclass(frozen=True, eq=False, slots=True)
class Sent:
    """What an operation has sent to an operand, and what its inside sends there."""

    label: str
    """The operand's."""
    outside: Value
    inside: Value | None
    comparison: Comparison
    """Agrees if the two are equal to rounding, end to end."""


def open_composite(trace: Trace, node: int, pass_: Pass | None) -> Opened:
    """The inside of `node`, with its upstream gradient in the backward pass `pass_`.

    MissingError where there is nothing to open, ScenarioError where the parts do not take these
    operands.
    """
    opens = trace.can(Opens, node)
    if isinstance(opens, Missing):
        raise MissingError(opens)
    return Opened(trace, node, pass_, opens.open(node, pass_))


def seeding_pass(trace: Trace, node: int, cursor: int) -> Pass | None:
    """The backward pass in which `node` gets its upstream gradient: that at `cursor`, or the next.

    Failing both the last before; None if it never gets one.
    """
    found = [
        trace.passes[trace.pass_index(step)]
        for step in sorted(step for one in _together(trace, node) for step in trace.receipts(one))
        if trace.passes[trace.pass_index(step)].kind is PassKind.BACKWARD
    ]
    shown = trace.shown_pass(cursor)
    if shown in found:
        return shown
    return next((pass_ for pass_ in found if pass_.stop > cursor), found[-1] if found else None)


def _together(trace: Trace, node: int) -> Collection[int]:
    """The nodes that send in one step with `node`."""
    opens = trace.can(Opens, node)
    return (node,) if isinstance(opens, Missing) else opens.together(node)


def compare_sent(opened: Opened) -> list[Sent]:
    """What went to each operand that requires grad, outside and inside."""
    outer, inner, pass_ = opened.outer, opened.trace, opened.pass_
    if pass_ is None:
        return []
    grads = inner.passes[-1].grads or {}
    letters = list(inner.nodes.inputs.values())
    senders = _together(outer, opened.node)
    sent: dict[int, tuple[int, Value]] = {}
    """By position the operand, and all that it was sent: fused calls send once a step in time."""
    for step in range(pass_.start + 1, pass_.stop):
        if int(outer.senders[step]) not in senders or int(outer.receivers[step]) in senders:
            continue
        _, operand, position = outer.edge(step)
        before, part = sent.get(position), in_full(outer.contribution(step))
        sent[position] = operand, part if before is None else before[1] + part
    found: list[Sent] = []
    for position, (operand, outside) in sent.items():
        inside = kept(grads.get(letters[position]))
        found.append(
            Sent(outer.label(operand), outside, inside, _compared(opened, outside, inside))
        )
    return found


def _compared(opened: Opened, outside: Value, inside: Value | None) -> Comparison:
    if inside is None:  # nothing was sent inside, which is as good as sending zeros
        inside = full_like(outside, 0.0)
    return compare(inside, outside, _RELATIVE[opened.outer.dtype] * norm_of(outside))
