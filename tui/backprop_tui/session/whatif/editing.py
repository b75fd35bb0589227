"""Editing a value, undoing it and resetting: Session → Session.

A run is left behind as `Wanted`, as a continue leaves a search; whoever has a thread carries it out
with `carry_out` and hands the result to `arrive`.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.source import ScenarioError
from backprop_engine.basics.values import Value, in_full, same
from backprop_engine.trace import Missing, Trace
from backprop_engine.trace.abilities import Reruns
from backprop_tui.session.session import Session
from backprop_tui.session.whatif import nudging
from backprop_tui.session.whatif.comparing import difference
from backprop_tui.session.whatif.parsing import Edit
from backprop_tui.session.whatif.state import Difference, IsUnwanted, Leaves, Nudge, Wanted, WhatIf

_KEPT = 1_000
"""Edits that can be undone."""
_RUNNING = "running again with other values · esc cancels"


@dataclass(frozen=True, eq=False, slots=True)
class Outcome:
    """What became of a wanted run."""

    wanted: Wanted
    trace: Trace | None
    difference: Difference | None = None
    error: ScenarioError | None = None


def edit(session: Session, change: Edit) -> Session:
    """With `change.value` in the place of a leaf's value: all is run again, the cursor stays."""
    base = _base(session)
    element = None if change.index is None else (change.node, change.index)
    there = replace(session, whatif=replace(session.whatif, element=element))
    wanted = with_leaf(session, base.values, change.node, change.value)
    label = session.trace.label(change.node)
    return run(there, Wanted(wanted, _longer(base, wanted), said=f"{label} changed · u undoes it"))


def with_leaf(session: Session, values: Leaves, node: int, value: Value) -> Leaves:
    """`values` with another value of `node`; the original one is no change."""
    original = session.whatif.original
    changed = {leaf: kept for leaf, kept in values.items() if leaf != node}
    if original is None or not same(original.nodes.value[node], value):
        changed[node] = value
    return changed


def _base(session: Session) -> Wanted:
    """What the next edit starts from: what is there, or what a run under way will bring."""
    whatif = session.whatif
    return whatif.wanted or Wanted(whatif.values, whatif.history)


def _longer(base: Wanted, wanted: Leaves) -> tuple[Leaves, ...]:
    if _same(base.values, wanted):
        return base.history
    return (*base.history, base.values)[-_KEPT:]


def _same(ours: Leaves, other: Leaves) -> bool:
    return ours.keys() == other.keys() and all(same(ours[k], other[k]) for k in ours)


def undo(session: Session) -> Session:
    """Take the last edit or nudge back."""
    base = _base(session)
    if not base.history:
        return replace(session, notice="no edit to undo: e edits a value")
    there = replace(session, whatif=replace(session.whatif, element=None))
    left = len(base.history) - 1
    said = f"undone · {left} more" if left else "undone: nothing more to undo"
    return run(there, Wanted(base.history[-1], base.history[:-1], said=said))


def reset(session: Session) -> Session:
    """Give the selected leaf its own value back."""
    base = _base(session)
    node = session.node
    if node not in base.values:
        label = session.trace.label(node)
        return replace(session, notice=f"{label} has its own value; U gives all theirs back")
    kept = {leaf: value for leaf, value in base.values.items() if leaf != node}
    return run(session, Wanted(kept, _longer(base, kept), said="its own value again · u undoes it"))


def reset_all(session: Session) -> Session:
    """Give every value back that the scenario has."""
    base = _base(session)
    if not base.values:
        return replace(session, notice="nothing to reset: all values are the scenario's")
    return run(
        session, Wanted({}, _longer(base, {}), said="all values are the scenario's · u undoes it")
    )


# Running


def run(session: Session, wanted: Wanted) -> Session:
    """Want a run, and say so."""
    whatif = replace(session.whatif, wanted=wanted, refusal="")
    return replace(session, whatif=whatif, notice=_RUNNING)


def carry_out(whatif: WhatIf, wanted: Wanted, is_unwanted: IsUnwanted | None = None) -> Outcome:
    """Run what is wanted; the original trace where nothing is changed any more.

    StoppedError soon after it `is_unwanted`.
    """
    original = whatif.original
    reruns = None if original is None else original.can(Reruns)
    if original is None or reruns is None or isinstance(reruns, Missing) or not wanted.values:
        return Outcome(wanted, original)
    try:
        trace = reruns.run(wanted.values, is_unwanted)
    except ScenarioError as error:
        return Outcome(wanted, None, error=error)
    return Outcome(wanted, trace, difference(original, trace))


def arrive(session: Session, outcome: Outcome) -> Session:
    """With what became of a wanted run; without effect where something else is wanted by now."""
    whatif, wanted = session.whatif, outcome.wanted
    if whatif.wanted is not wanted:
        return session
    if outcome.trace is None:
        refusal = _refused(session, outcome)
        there = replace(session, whatif=replace(whatif, wanted=None, refusal=refusal))
        return replace(there, notice=refusal)
    whatif = replace(whatif, values=dict(wanted.values), history=wanted.history, wanted=None)
    whatif = replace(whatif, difference=outcome.difference)
    said = wanted.said
    if wanted.nudge is not None:
        before, after = session.trace, outcome.trace
        said = nudging.told(nudging.predict(before, after, session.cursor, wanted.nudge))
    return replace(session, trace=outcome.trace, whatif=whatif, notice=said)


def _refused(session: Session, outcome: Outcome) -> str:
    if outcome.error is None:
        return ""
    changed = ", ".join(session.trace.label(node) for node in outcome.wanted.values)
    return f"cannot run with this {changed}: {outcome.error}"


def progress(session: Session, elapsed: float) -> Session:
    """How long the run under way has taken, and about how long it takes."""
    if session.whatif.wanted is None:
        return session
    reruns = session.trace.can(Reruns)
    whole = 0.0 if isinstance(reruns, Missing) else reruns.seconds
    took = f"{elapsed:.1f} of about {whole:.1f} seconds"
    return replace(session, notice=f"running again with other values: {took} · esc cancels")


def cancel(session: Session) -> Session:
    """Let go of a run under way."""
    if session.whatif.wanted is None:
        return session
    return replace(session, whatif=replace(session.whatif, wanted=None), notice="cancelled")


# Nudging


def _nudge(session: Session, sign: int) -> Session:
    reason = nudging.why_not(session)
    if reason:
        return replace(session, notice=reason)
    base, node = _base(session), session.node
    element = session.whatif.element
    index = element[1] if element is not None and element[0] == node else None
    now = base.values.get(node, in_full(session.trace.nodes.value[node]))
    original = session.whatif.original or session.trace
    amount = sign * nudging.size(in_full(original.nodes.value[node]), index)
    moved = nudging.moved(now, amount, index)
    values = with_leaf(session, base.values, node, moved)
    # What was added is told, not what was meant: in float32 they are not the same.
    return run(session, Wanted(values, _longer(base, values), Nudge(node, amount, index)))


nudge_up = partial(_nudge, sign=1)
"""Move the selected leaf up by a little."""
nudge_down = partial(_nudge, sign=-1)
"""Move the selected leaf down by a little."""
