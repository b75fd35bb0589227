"""What there is to say of a place on the timeline, beyond the step there."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator

from backprop_engine.basics import notation
from backprop_engine.basics.values import Known, size_of
from backprop_engine.trace import NO_NODE, Pass, PassKind, Step, Trace

_SENDERS_NAMED = 3


def pass_title(trace: Trace, pass_: Pass) -> str:
    """`backward from y`, `forward`, `zero_grad`."""
    if pass_.output is not None:
        return f"backward from {trace.label(pass_.output)}"
    return "forward" if pass_.kind is PassKind.FORWARD else pass_.name


def accumulation(trace: Trace, step: Step) -> str:
    """What a step that completes an input's sum adds to a `.grad` that an earlier pass has left."""
    receiver = int(trace.receivers[step.index])
    before = None if receiver == NO_NODE else trace.grad(receiver, step.index)
    after = None if before is None else trace.grad(receiver, step.index + 1)
    if before is None or after is None or not trace.progress(receiver, step.index + 1).is_complete:
        return ""
    grad, added = f"{trace.label(receiver)}.grad", trace.totals[step.index]
    if added is None:
        return ""
    figures = f"{notation.short(before)} + {notation.short(added)} = {notation.short(after)}"
    return (
        f"{grad} then grows: {figures}, for an earlier pass has left {notation.short(before)} there"
    )


def closing(trace: Trace) -> str:
    """What the gradients mean that the whole run came to."""
    output = next(
        (pass_.output for pass_ in reversed(trace.passes) if pass_.output is not None), None
    )
    if output is None:
        return "No backward pass ran, so there are no gradients."
    meant = trace.label(output)
    if size_of(trace.nodes.value[output]) > 1:
        meant = f"the sum of {meant}, each element times the gradient given for it"
    return f"Each is the slope of {meant}: how much it moves when that input moves a little."


def earlier_senders(trace: Trace, step: Step) -> str:
    """Who has sent to the receiver of a contribution before `step`, in the same pass."""
    receipts = trace.receipts(trace.edge(step.index)[1])
    start = bisect_left(receipts, trace.passes[step.pass_index].start)
    earlier = receipts[start : bisect_left(receipts, step.index)]
    senders = list(dict.fromkeys(int(trace.senders[receipt]) for receipt in earlier))
    if len(senders) > _SENDERS_NAMED:
        return f"{len(senders):,} nodes"
    return ", ".join(map(trace.label, senders))


def grads_after(trace: Trace, pass_: Pass) -> Iterator[tuple[int, str, Known | None]]:
    """`.grad` after `pass_`: the node, the name to tell it by, and what it holds.

    A name that is given again tells of the node that it means by then.
    """
    names = {node: name for name, node in trace.nodes.inputs.items()}
    every = {node for last in trace.outlived for node in trace.versions(last)}
    current = {trace.version_at(last, pass_.stop) for last in trace.outlived}
    for node, grad in (pass_.grads or {}).items():
        if node not in every - current:
            yield node, notation.as_name(names.get(node, trace.label(node))), grad
