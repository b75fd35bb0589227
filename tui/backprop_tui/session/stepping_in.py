"""Going into a composite operation and out again: the session as a stack.

Inside, a session has the operation's own trace, and `outer` keeps the one it came from as it was.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from backprop_engine.basics import notation
from backprop_engine.basics.source import ScenarioError
from backprop_engine.checking.compare import ELEMENTWISE_ULP
from backprop_engine.reading.explain import expression
from backprop_engine.reading.opened import Sent, compare_sent, open_composite, seeding_pass
from backprop_engine.trace import Missing, Trace
from backprop_engine.trace.abilities import MissingError, Opens
from backprop_tui.session.session import Session, open_session
from backprop_tui.session.whatif.state import WhatIf


def step_into(session: Session) -> Session:
    """Into the selected node's operation; backwards if its upstream gradient is there already."""
    trace, node = session.trace, session.node
    opens = trace.can(Opens, node)
    if isinstance(opens, Missing):
        return replace(session, notice=opens.sentence)
    pass_ = seeding_pass(trace, node, session.cursor)
    try:
        opened = open_composite(trace, node, pass_)
    except (ScenarioError, MissingError) as error:
        return replace(session, notice=f"{trace.label(node)} cannot be opened: {error}")
    inner = open_session(opened.trace)
    inner = replace(inner, page=session.page, outer=session, opened=opened, whatif=WhatIf())
    if pass_ is None or not trace.is_computed(node, session.cursor):
        return inner
    has_upstream = (
        trace.shown_pass(session.cursor) is pass_
        and trace.progress(node, session.cursor).is_complete
    )
    return replace(inner, cursor=opened.trace.passes[1].start) if has_upstream else inner


def step_out(session: Session) -> Session:
    """Back out, to where the session was; says whether inside and outside agree."""
    if session.outer is None or session.opened is None:
        return replace(session, notice="this is not the inside of an operation; i steps into one")
    return replace(session.outer, notice=agreement_sentence(session))


def opening(session: Session) -> str:
    """What stepping into the selected node does."""
    return f"opening {crumb(session.trace, session.node)}"


def closing(session: Session) -> str:
    """What stepping out does."""
    opened = session.opened
    inside = "" if opened is None else crumb(opened.outer, opened.node)
    return f"comparing the inside and the outside of {inside}"


def agreement_sentence(session: Session) -> str:
    """How far what the parts send is from what the operation has sent, for every operand."""
    opened = session.opened
    if opened is None:
        return ""
    sent = compare_sent(opened)
    made = opened.outer.label(opened.node)
    if not sent:
        return f"back out of {made}; no gradient goes through it, so there is no sum to compare"
    told = ", ".join(f"to {contribution.label} {_apart(contribution)}" for contribution in sent)
    compared = [contribution.comparison for contribution in sent]
    verdict = "differ"
    if all(each.agrees for each in compared):
        is_same = all(each.ulp == each.difference == 0 for each in compared)
        verdict = "send the same" if is_same else "agree up to rounding"
    return f"{made}: inside and outside {verdict}: {told}"


def _apart(contribution: Sent) -> str:
    figure = (
        f"{notation.short(contribution.outside)}, "
        if not isinstance(contribution.outside, np.ndarray)
        else ""
    )
    off = contribution.comparison
    # Beside what cancels many ulp are little: what rounding allows is a difference.
    is_little = off.agrees and off.ulp > ELEMENTWISE_ULP
    return f"{figure}{notation.number(off.difference, 3) if is_little else off.apart(3)} apart"


def crumb(trace: Trace, node: int) -> str:
    """`y = softmax(z)`"""
    return f"{trace.label(node)} = {expression(trace, node)}"


def breadcrumb(session: Session) -> tuple[str, ...]:
    """What has been stepped into, the outermost first; empty outside."""
    opened = [inside.opened for inside in reversed(stack(session)) if inside.opened is not None]
    return tuple(crumb(each.outer, each.node) for each in opened)


def stack(session: Session) -> list[Session]:
    """The session and those around it, the innermost first."""
    found: list[Session] = []
    at: Session | None = session
    while at is not None:
        found.append(at)
        at = at.outer
    return found
