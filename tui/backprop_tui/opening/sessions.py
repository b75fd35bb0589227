"""Reading a scenario into a session, the first time and again."""

from __future__ import annotations

from backprop_engine.basics.gc_pause import collector_paused
from backprop_engine.trace import GroupKind
from backprop_tui.opening.targets import Refusal, Target, open_target
from backprop_tui.session.modules import switch_tree
from backprop_tui.session.outline import LARGE
from backprop_tui.session.reload import node_keys, nodes_by_key
from backprop_tui.session.session import Session, open_session

_SAMPLE = 200
"""Nodes that are asked for their module."""


def read_session(target: Target) -> Session | Refusal:
    """A session at the start of `target`, or why there is none."""
    with collector_paused():
        trace = open_target(target)
        if isinstance(trace, Refusal):
            return trace
        session = folded_by_modules(open_session(trace))
        # The rows in sight, and which steps each node takes part in, are looked up once and kept:
        # a thread may do it for the first frame of a large graph, the screen may not.
        session.trace.visits(int(session.outline.nodes[session.visible[0]]))
        return session


def folded_by_modules(session: Session) -> Session:
    """A graph that is too large to look at opens as the tree of its modules, if it has some."""
    nodes = session.trace.nodes
    sample = range(0, len(nodes), max(len(nodes) // _SAMPLE, 1))
    is_model = len(session.outline) > LARGE and any(
        group.kind is GroupKind.MODULE for node in sample for group in nodes.groups(node)
    )
    return switch_tree(session) if is_model else session


def read_again(target: Target, old: Session) -> Session | Refusal:
    """The same, with what `carry` needs to know of a large graph worked out already."""
    fresh = read_session(target)
    if isinstance(fresh, Session):
        node_keys(old.trace)
        nodes_by_key(fresh.trace)
    return fresh
