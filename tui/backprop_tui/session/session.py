"""The debugger's state, and every command on it as a function Session → Session.

Nothing here knows a screen. The cursor k, 0 ≤ k ≤ len(trace), says that k steps are done and
step k is about to run; whatever is shown is looked up in the trace at k.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping
from dataclasses import field, replace
from functools import cached_property, partial
from typing import NamedTuple

import numpy as np

from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.values import Shape, shape_of
from backprop_engine.mistakes.questions import Question
from backprop_engine.reading.element_story import explain_element
from backprop_engine.reading.element_terms import Index
from backprop_engine.reading.explain import Explanation, explain
from backprop_engine.reading.opened import Opened
from backprop_engine.trace import Missing, Pass, Step, Trace
from backprop_tui.session.navigation import Play, Search
from backprop_tui.session.outline import NO_ROW, Folding, Outline, draw_outline
from backprop_tui.session.predicting.state import Predicting
from backprop_tui.session.stops.state import Stops
from backprop_tui.session.whatif.state import WhatIf

_ORIGINS_KEPT = 100

Change = Callable[["Session"], "Session"]
"""What a command, or the answer to a question, does to a session."""


class TreeState(NamedTuple):
    """A tree of rows, and what a person has folded and unfolded in it."""

    outline: Outline
    folds: frozenset[int] = frozenset()
    unfolds: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Session:
    """One person's place in one trace."""

    trace: Trace
    outline: Outline
    """The tree that is shown."""
    cursor: int = 0
    selected: int | None = None
    """The row of the tree a person has chosen; None while the selection follows the steps."""
    folds: frozenset[int] = frozenset()
    """The rows whose subtrees a person has folded away."""
    unfolds: frozenset[int] = frozenset()
    """The rows that a person has unfolded, which would be folded by themselves."""
    aside: TreeState | None = None
    """The other tree, of the graph or of modules and loops, as it was left; None before."""
    origins: tuple[int, ...] = ()
    """Where jumps started, the last one at the end."""
    notice: str = ""
    """What the last command has to say, where it could not do as asked."""
    page: int = 10
    """Rows of the tree on the screen."""
    outer: Session | None = None
    """The session outside, where this one is the inside of a composite operation."""
    opened: Opened | None = None
    """Of what it is the inside."""
    stops: Stops = field(default_factory=Stops)
    """Breakpoints and watches."""
    search: Search | None = None
    """What was searched for last."""
    marks: Mapping[str, int] = field(default_factory=dict)
    """Cursors by letter, for a person to come back to."""
    play: Play | None = None
    """Steps that run by themselves; None while none do."""
    rate: float = 2.0
    """Steps a second that play goes at."""
    whatif: WhatIf = field(default_factory=WhatIf)
    """What has been put in the place of the scenario's values."""
    element: Index | None = None
    """The element a person looks at; None while they look at whole arrays."""
    predicting: Predicting | None = None
    """Steps are asked before they are shown; None where they are not."""

    @cached_property
    def step(self) -> Step | None:
        """The step about to run; None at the end."""
        return self.trace.step(self.cursor) if self.cursor < len(self.trace) else None

    @cached_property
    def question(self) -> Question | None:
        """What is to be answered before the step about to run is shown; None where it may be."""
        now = self.predicting
        if now is None or self.step is None or self.cursor < now.reached:
            return None
        return now.examiner.question(self.cursor)

    @cached_property
    def explanation(self) -> Explanation | None:
        """The explanation of the step about to run; None at the end, and where it would tell."""
        is_told = self.step is not None and self.question is None
        return explain(self.trace, self.cursor) if is_told else None

    @cached_property
    def sent_shape(self) -> Shape | None:
        """The shape of what is sent; None where nothing is, or the step is about numbers alone."""
        step = self.step
        if step is None or step.operand is None or step.node is None:
            return None
        shape = shape_of(self.trace.nodes.value[step.operand])
        return shape if shape or shape_of(self.trace.nodes.value[step.node]) else None

    @cached_property
    def sent_element(self) -> Index | None:
        """The element of what is sent that is looked at, held inside the array; or None."""
        if self.element is None or self.sent_shape is None:
            return None
        wanted = (*self.element, *(0 for _ in self.sent_shape))
        bounds = zip(wanted, self.sent_shape, strict=False)
        return tuple(min(index, size - 1) for index, size in bounds)

    @cached_property
    def told(self) -> Explanation | None:
        """The explanation of the step, of the element alone where one is looked at."""
        element, whole = self.sent_element, self.explanation
        if element is None or whole is None:
            return whole
        told = explain_element(self.trace, self.cursor, element)
        if not isinstance(told, Missing):
            return told
        alone = f"element {list(element)} cannot be told alone: {told.sentence}"
        return replace(whole, notes=(alone, *whole.notes))

    @cached_property
    def finished_pass(self) -> Pass | None:
        """The pass whose last step has just been done."""
        ended = [pass_ for pass_ in self.trace.passes if pass_.start < pass_.stop == self.cursor]
        return ended[-1] if ended else None

    @cached_property
    def folding(self) -> Folding:
        """What is folded away while the step about to run is."""
        rows = (self.step_row,) if self.edge_row is None else (self.step_row, self.edge_row)
        return Folding(self.outline, self.folds, self.unfolds, rows)

    @cached_property
    def visible(self) -> np.ndarray:
        """The rows on the screen, ascending."""
        return self.folding.visible

    @property
    def measured(self) -> np.ndarray:
        """The rows by which columns are chosen: of groups, which open as steps need them, all."""
        return self.visible if self.outline.tree is None else np.arange(len(self.outline))

    @cached_property
    def step_holder(self) -> int:
        """The row on the screen in which the node at work stands."""
        return self.folding.holder(self.step_row)

    @cached_property
    def holder(self) -> int:
        """The row on the screen in which the selected one stands."""
        return self.folding.holder(self.row)

    @cached_property
    def step_row(self) -> int:
        """The row of the node at work; the first root where no node is (zero_grad, the end)."""
        node = None if self.step is None else self.step.node
        if node is None:
            node = self.trace.shown_pass(self.cursor).output
        return 0 if node is None else int(self.outline.full_rows[node])

    @cached_property
    def edge_row(self) -> int | None:
        """The row, under the sending node, of the operand that receives; None in other steps."""
        step = self.step
        if step is None or step.position is None or step.operand is None:
            return None
        return self.outline.child(self.step_row, step.position, step.operand)

    @property
    def row(self) -> int:
        """The selected row."""
        return self.step_row if self.selected is None else self.selected

    @property
    def node(self) -> int:
        """The selected node."""
        return int(self.outline.nodes[self.row])


def open_session(trace: Trace) -> Session:
    """A session where `trace` is to be looked at first."""
    start = trace.heading.start
    return Session(trace, draw_outline(trace), cursor=start, whatif=WhatIf(trace))


def _to(session: Session, cursor: int) -> Session:
    return replace(session, cursor=max(0, min(cursor, len(session.trace))), notice="")


def jump(session: Session, cursor: int) -> Session:
    """To `cursor` (held inside the timeline), remembering where the jump started."""
    there = _to(session, cursor)
    if there.cursor == session.cursor:
        return there
    return replace(there, origins=(*session.origins, session.cursor)[-_ORIGINS_KEPT:])


# Stepping


def step_forward(session: Session) -> Session:
    """One step."""
    return _to(session, session.cursor + 1)


def step_back(session: Session) -> Session:
    """One step back."""
    return _to(session, session.cursor - 1)


def node_forward(session: Session) -> Session:
    """To the end of the node step around the cursor."""
    if session.step is None:
        return _to(session, session.cursor)
    return _to(session, session.trace.node_step(session.cursor)[1])


def node_back(session: Session) -> Session:
    """To the start of the node step before the cursor."""
    if session.cursor == 0:
        return _to(session, 0)
    return _to(session, session.trace.node_step(session.cursor - 1)[0])


# Jumping


def pass_end(session: Session) -> Session:
    """To the end of the pass that the next step belongs to."""
    if session.step is None:
        return _to(session, session.cursor)
    return jump(session, session.trace.passes[session.step.pass_index].stop)


def pass_start(session: Session) -> Session:
    """To the start of the pass that the last step belongs to."""
    return jump(session, session.trace.shown_pass(session.cursor).start)


def iteration_end(session: Session) -> Session:
    """To where this iteration of the training ends: an optimiser has stepped."""
    ends = session.trace.iteration_ends
    at = bisect_right(ends, session.cursor)
    return jump(session, ends[at] if at < len(ends) else len(session.trace))


def iteration_start(session: Session) -> Session:
    """To where the iteration of the last step starts."""
    ends = session.trace.iteration_ends
    at = bisect_left(ends, session.cursor) - 1
    return jump(session, ends[at] if at >= 0 else 0)


def restart(session: Session) -> Session:
    """To the very start."""
    return jump(session, 0)


def to_node_forward(session: Session) -> Session:
    """To the next step in which the selected node takes part."""
    visits = session.trace.visits(session.node)
    at = bisect_right(visits, session.cursor)
    return _to_visit(session, visits[at] if at < len(visits) else None, "later")


def to_node_back(session: Session) -> Session:
    """To the last step before the cursor in which the selected node takes part."""
    visits = session.trace.visits(session.node)
    at = bisect_left(visits, session.cursor) - 1
    return _to_visit(session, visits[at] if at >= 0 else None, "earlier")


def _to_visit(session: Session, step: int | None, where: str) -> Session:
    # The node stays selected: following the steps would change it, and with it the next jump.
    held = replace(session, selected=session.row)
    if step is None:
        label = session.trace.label(session.node)
        return replace(held, notice=f"{label} takes part in no {where} step")
    return jump(held, step)


def jump_back(session: Session) -> Session:
    """To where the last jump started; asked again, to where the one before it started."""
    if not session.origins:
        return replace(session, notice="no jump to go back from")
    return replace(_to(session, session.origins[-1]), origins=session.origins[:-1])


# The selection


def select(session: Session, row: int) -> Session:
    """Choose `row`; folds around it open."""
    around = frozenset(session.folding.around(row))
    folds, unfolds = session.folds - around, session.unfolds | around
    return replace(session, selected=row, folds=folds, unfolds=unfolds, notice="")


def move(session: Session, by: int) -> Session:
    """Choose the row `by` visible rows below the selected one (above it where negative)."""
    at = int(np.searchsorted(session.visible, session.holder)) + by
    at = max(0, min(at, len(session.visible) - 1))
    return replace(session, selected=int(session.visible[at]), notice="")


up = partial(move, by=-1)
"""The row above."""
down = partial(move, by=1)
"""The row below."""


def page_up(session: Session) -> Session:
    """A screenful up."""
    return move(session, -session.page)


def page_down(session: Session) -> Session:
    """A screenful down."""
    return move(session, session.page)


def top(session: Session) -> Session:
    """The first row."""
    return move(session, -len(session.outline))


def bottom(session: Session) -> Session:
    """The last row."""
    return move(session, len(session.outline))


def toggle_fold(session: Session, row: int) -> Session:
    """Fold the subtree of `row` away, or show it again."""
    if not session.outline.has_children(row):
        return replace(session, notice="")
    if session.folding.is_folded(row):
        folds, unfolds = session.folds - {row}, session.unfolds | {row}
    else:
        folds, unfolds = session.folds | {row}, session.unfolds - {row}
    return replace(session, folds=folds, unfolds=unfolds, notice="")


def fold(session: Session) -> Session:
    """Fold the selected row; where there is nothing to fold, choose the row it hangs under."""
    row = session.holder
    if session.outline.has_children(row) and not session.folding.is_folded(row):
        return replace(toggle_fold(session, row), selected=row)
    parent = int(session.outline.parents[row])
    return replace(session, selected=row if parent == NO_ROW else parent, notice="")


def unfold(session: Session) -> Session:
    """Unfold the selected row; where it is open, choose its first operand."""
    row = session.holder
    if session.folding.is_folded(row):
        return replace(toggle_fold(session, row), selected=row)
    return select(session, row + 1 if session.outline.has_children(row) else row)


def lead(session: Session) -> Session:
    """From a reference to the row that draws the node in full; any other row is chosen."""
    return select(session, int(session.outline.full_rows[session.node]))


def release(session: Session) -> Session:
    """Let the selection follow the steps again."""
    return replace(session, selected=None, notice="")


def with_page(session: Session, rows: int) -> Session:
    """With the number of rows that a screenful is."""
    return replace(session, page=max(rows, 1))
