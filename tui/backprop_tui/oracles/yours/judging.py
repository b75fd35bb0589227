"""The judge of an engine: what is the first thing that is wrong by itself?

A value is held against our operation on the learner's own operands, and what is sent against our
rule with the learner's own upstream gradient: what goes wrong further on spoils nothing here. An
engine whose gradients come out right is right, however it goes about it.
"""

from __future__ import annotations

import numpy as np

from backprop_engine.basics import notation
from backprop_engine.basics.values import Known, Value, in_full
from backprop_engine.trace import Pass, PassKind, Trace
from backprop_tui.oracles.yours.comparing import agrees, apart
from backprop_tui.oracles.yours.parts import Part, Parts
from backprop_tui.oracles.yours.protocol import LearnersPass, LearnersRun
from backprop_tui.oracles.yours.turns import Turns
from backprop_tui.oracles.yours.verdict import Kind, Verdict


def judge(trace: Trace, run: LearnersRun) -> Verdict | None:
    """The first thing that is wrong; None where all is right."""
    if run.broken is not None:
        node, raised, line = run.broken
        message = f"`{trace.nodes.operation_name(node)}` raises {raised}."
        return Verdict(Kind.FORWARD, message, line, int(trace.forward_steps[node]))
    parts = Parts(trace, run)
    for part in parts.parts:
        wrong = _wrong_value(parts, part)
        if wrong is not None:
            return wrong
    for told in run.passes:
        pass_ = trace.passes[told.index]
        if pass_.kind is not PassKind.BACKWARD:
            continue
        off = first_off(parts, pass_, told)
        if off is None and not told.raised:
            continue
        return Turns(parts, pass_, told).verdict() or _unexplained(parts, pass_, told, off)
    return None


def _wrong_value(parts: Parts, part: Part) -> Verdict | None:
    """That a part has computed something else than its operation does."""
    trace, made = parts.trace, parts.made[part.output]
    step, single = int(trace.forward_steps[part.node]), parts.run.is_single
    right = parts.right_value(part)
    if right is not None and not agrees(made.value, right, is_single=single):
        return Verdict(Kind.FORWARD, _makes(parts, part, made.value, right), made.line, step)
    if part.output != parts.by_node.get(part.node) or not part.operands:
        return None
    # Each part may be right, and what they are put together to is another operation.
    whole = parts.whole(part.node)
    right = parts.right_value(whole)
    if right is not None and not agrees(made.value, right, is_single=single):
        line = made.from_line or made.line
        return Verdict(Kind.FORWARD, _makes(parts, whole, made.value, right), line, step)
    return None


def _makes(parts: Parts, part: Part, value: Value, right: Value) -> str:
    operands = ", ".join(
        dict.fromkeys(
            notation.short(parts.value(operand))
            if operand[0] is None
            else f"{parts.label(operand[0])} = {notation.short(parts.value(operand))}"
            for operand in part.operands
        )
    )
    name = part.operation.name
    shapes = ""
    if np.shape(value) != np.shape(right):
        shapes = f", with the shape {np.shape(value)} for {np.shape(right)}"
    return f"`{name}` of {operands} makes {apart(value, right)}{shapes}."


def first_off(
    parts: Parts, pass_: Pass, told: LearnersPass
) -> tuple[int, Value | None, Known | None] | None:
    """The first leaf whose gradient is wrong after a pass, it, and the right one."""
    for node, right in (pass_.grads or {}).items():
        at = parts.by_node.get(node)
        if at is None or at not in parts.requiring:
            continue
        theirs = told.end[at]
        if right is None:
            if theirs is not None and np.any(theirs):
                return node, theirs, right
        elif theirs is None or not agrees(
            theirs, in_full(right), is_single=parts.run.is_single, among=_among(parts, pass_, node)
        ):
            return node, theirs, right
    return None


def _among(parts: Parts, pass_: Pass, node: int) -> float:
    """The largest that has gone into the gradient of a node."""
    trace = parts.trace
    steps = [step for step in trace.receipts(node) if step < pass_.stop]
    sizes = (np.max(np.abs(in_full(trace.contribution(step))), initial=0.0) for step in steps)
    return max(map(float, sizes), default=0.0)


def _unexplained(
    parts: Parts,
    pass_: Pass,
    told: LearnersPass,
    off: tuple[int, Value | None, Known | None] | None,
) -> Verdict:
    """What is said where nothing that was watched is wrong by itself."""
    if told.raised:
        message = f"`backward` raises {told.raised}."
        return Verdict(Kind.RULE, message, told.line, pass_.start)
    node, theirs, right = off or (parts.made[-1].node or 0, None, None)
    has = "nothing" if theirs is None else notation.short(theirs)
    wants = "nothing" if right is None else notation.short(right)
    message = (
        f"The gradient of {parts.trace.label(node)} comes out as {has}, and {wants} is right; "
        "none of the steps that could be watched is wrong by itself."
    )
    steps = [step for step in parts.trace.receipts(node) if pass_.start <= step < pass_.stop]
    return Verdict(Kind.OVERWRITTEN, message, told.backward, max(steps, default=pass_.start))
