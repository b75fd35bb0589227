"""The tree of modules and loops beside the graph's: each node once, in the group it belongs to.

It is an `Outline` like any other, so that steps, search, breakpoints and jumps unfold in it what
they need. A group's row stands for the node that gradients come in by last of all: its output.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from backprop_engine.reading.groups import NO_GROUP, GroupTree, group_tree
from backprop_engine.trace import GroupKind
from backprop_tui.session.outline import NO_ROW, Outline, draw_outline
from backprop_tui.session.session import Session, TreeState, select

_NONE = "nothing here belongs to a module or a loop, so there is no other tree; see O for the flow"


def draw_modules(tree: GroupTree) -> Outline:
    """Groups and the nodes in them, the last computed first, as gradients travel."""
    nodes: list[int] = []
    parents: list[int] = []
    depths: list[int] = []
    is_last: list[bool] = []
    groups: list[int] = []
    full_rows = np.full(len(tree.of_node), NO_ROW, np.int32)
    pending = [(entry, NO_ROW, at == 0) for at, entry in enumerate(reversed(tree.members[-1]))]
    while pending:
        entry, parent, last = pending.pop()
        row, group = len(groups), ~entry if entry < 0 else NO_GROUP
        groups.append(group)
        parents.append(parent)
        depths.append(0 if parent == NO_ROW else depths[parent] + 1)
        is_last.append(last)
        nodes.append(entry)
        if group == NO_GROUP:
            full_rows[entry] = row
        else:
            inside = reversed(tree.members[group])
            pending += [(each, row, at == 0) for at, each in enumerate(inside)]
    sizes = [1] * len(groups)
    for row in range(len(groups) - 1, -1, -1):
        if groups[row] != NO_GROUP:  # stands for its output, else for its last node
            nodes[row] = _output(tree, groups[row], nodes[row + 1])
        if parents[row] != NO_ROW:
            sizes[parents[row]] += sizes[row]
    return Outline(
        nodes=np.array(nodes, np.int32),
        parents=np.array(parents, np.int32),
        depths=np.array(depths, np.int32),
        sizes=np.array(sizes, np.int32),
        is_last=np.array(is_last, bool),
        is_reference=np.array(groups) != NO_GROUP,
        full_rows=full_rows,
        groups=np.array(groups, np.int32),
        tree=tree,
    )


def _output(tree: GroupTree, group: int, last: int) -> int:
    outputs = tree.outputs[group]
    return outputs[-1] if outputs else last


def group_title(outline: Outline, row: int) -> str:
    """`encoder.layers.2 · 41 nodes`; empty for a row that is no group's."""
    group = outline.group(row)
    if group is None or outline.tree is None:
        return ""
    count, name = outline.node_count(row), outline.tree.names[group]
    if outline.tree.kinds[group] is GroupKind.ITERATION and name.startswith("#"):
        name = f"iteration {name}"
    return f"{name} · {count:,} {'node' if count == 1 else 'nodes'}"


def group_path(outline: Outline, row: int) -> str:
    """`i=2, j=0`, `#1, encoder.layers.2`; empty for a row that is no group's."""
    group = outline.group(row)
    return "" if group is None or outline.tree is None else outline.tree.path(group)


def switching(session: Session) -> str:
    """What the switch does, where it takes a while."""
    return "looking for modules and loops" if session.aside is None else "back to the graph"


def switch_tree(session: Session) -> Session:
    """From the graph's tree to the tree of modules and loops, or back; the selection goes along."""
    there = session.aside or _drawn(session)
    if there is None:
        return replace(session, notice=_NONE)
    chosen = None if session.selected is None else int(there.outline.full_rows[session.node])
    switched = replace(
        session,
        **there._asdict(),
        aside=TreeState(session.outline, session.folds, session.unfolds),
        selected=None,
        search=None if session.search is None else replace(session.search, matches=None),
        notice="",
    )
    return switched if chosen is None else select(switched, chosen)


def by_graph(session: Session) -> Session:
    """`session` with the graph's tree, whichever it has."""
    return session if session.outline.tree is None else switch_tree(session)


def _drawn(session: Session) -> TreeState | None:
    if session.outline.tree is not None:
        return TreeState(draw_outline(session.trace))
    tree = group_tree(session.trace)
    return None if tree is None else TreeState(draw_modules(tree))
