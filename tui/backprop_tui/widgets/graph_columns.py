"""The columns of the graph pane, which share its width by what stands in them.

Each is as wide as the widest text in it, so that nowhere cells stay blank while a name is cut; a
value may begin in what its row's name leaves blank.
What has no room gives way in this order, the last wish first:

1. the rest of an expression of more than 56 cells,
2. digits of arrays beyond two, and of numbers of more than nine cells,
3. what a gradient was before the step that is about to change it, and `∂loss/∂node`,
4. `grad_fn`, which is there whole or not at all,
5. the numbers of arrays, first of gradients and then of values, for which pictures stand,
6. the ends of pictures,
7. expressions, then what is left of the figures, and the last of all, names.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from math import hypot
from typing import Final, NamedTuple

import numpy as np

from backprop_engine.basics import notation
from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.summary import Summary
from backprop_engine.basics.values import Known, norm_of
from backprop_engine.reading.kept_by_trace import remembered
from backprop_engine.trace import NO_NODE, Trace
from backprop_tui.session.session import Session
from backprop_tui.view.text import figure
from backprop_tui.view.view import View

_SAMPLE = 500
"""Rows and values looked at to choose the widths; a million would take seconds."""
_MOST_NODE, _LEAST_NODE = 56, 14
_MOST_TITLE = 12
_NARROW_FIGURE, _LEAST_FIGURE = 9, 5
_MOST_LISTED = 40
_GAP = 2
GUTTER = 2
"""The marks of the selected row and of a breakpoint."""
_MARK = 3
"""The gap before torch's mark, the mark, and the gap behind it."""
TITLE: Final = "gradient"
"""Of the column of gradients, where `∂loss/∂node` has no room."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Widths in cells; `grad_fn` is 0 where there is no room for it."""

    node: int
    value: int
    gradient: int
    grad_fn: int = 0
    shallowest: int = 0
    """The least depth of the rows in sight: a tree too deep to draw starts at its left edge."""
    deepest: int = 0
    """The greatest depth of the rows in sight."""

    @property
    def width(self) -> int:
        """All columns and the gaps between them."""
        grad_fn = self.grad_fn + _GAP if self.grad_fn else 0
        return GUTTER + self.node + _GAP + self.value + _GAP + self.gradient + grad_fn + _MARK


def fitting_title(session: Session, columns: Columns) -> str:
    """`∂y/∂node` for the backward pass that is shown, or the first that is to come."""
    passes = session.trace.passes
    shown = session.trace.shown_pass(session.cursor).index
    candidates = [passes[shown], *passes[shown:], *reversed(passes[:shown])]
    output = next((pass_.output for pass_ in candidates if pass_.output is not None), None)
    title = TITLE if output is None else _title(session.trace, output)
    return title if len(title) <= columns.gradient else TITLE


def grad_fn_text(trace: Trace, node: int) -> str:
    """What torch calls the function that sends on the gradient of `node`; `leaf` at its end."""
    if trace.ends_gradients(node) and trace.nodes.requires_grad[node]:
        return "leaf"
    return trace.nodes.grad_fn(node)


class Named(NamedTuple):
    """What a row asks of the columns, at most."""

    width: int
    """The cells of its name with its expression."""
    node: int
    """Whose value it tells; NO_NODE where it tells none."""


def least_columns(session: Session, rows: Sequence[Named]) -> Columns:
    """The columns in which no name is cut, and nothing is more than it has to be."""
    wanted = _wanted(rows)
    value, gradient = _values(session.trace, rows, wanted), _wishes(session.trace).gradient
    return Columns(wanted, value.least(len("value")), gradient.least(len(TITLE)))


def _wanted(rows: Sequence[Named]) -> int:
    return min(max([_LEAST_NODE, *(row.width for row in rows)]), _MOST_NODE)


def choose_columns(session: Session, rows: Sequence[Named], width: int) -> Columns:
    """Columns that fit `width`, the same for every cursor: nothing jumps while stepping."""
    wanted = max([row.width for row in rows], default=_LEAST_NODE)
    gradient, title, grad_fn = _wishes(session.trace)
    columns = _squeezed(least_columns(session, rows), width)
    value = _values(session.trace, rows, columns.node)
    steps: tuple[tuple[str, Iterable[int]], ...] = (
        ("value", value.pictures),
        ("gradient", gradient.pictures),
        ("value", value.numbers),
        ("gradient", gradient.numbers),
        ("grad_fn", [grad_fn]),
        ("gradient", [*gradient.changes, title]),
        ("value", value.digits),
        ("gradient", gradient.digits),
        ("node", range(wanted + 1)),
    )
    for column, widths in steps:
        columns = _granted(columns, column, widths, width)
    if columns.node >= wanted:
        columns = replace(columns, node=columns.node + max(min(width - columns.width, 4), 0))
    return columns


def _squeezed(columns: Columns, width: int) -> Columns:
    """What has no room although nothing has more than it needs: names go last."""
    floors = (
        ("node", _LEAST_NODE),
        ("gradient", len(TITLE)),
        ("value", _LEAST_FIGURE),
        ("node", 1),
    )
    for column, floor in floors:
        over, has = max(columns.width - width, 0), getattr(columns, column)
        columns = replace(columns, **{column: max(has - over, min(floor, has))})
    return columns


def _granted(columns: Columns, column: str, widths: Iterable[int], width: int) -> Columns:
    """A column with the greatest of the `widths` for which there is room, if it has less."""
    now = getattr(columns, column)
    room = now + width - columns.width - (0 if now else _GAP)
    best = max((each for each in widths if now < each <= room), default=now)
    return replace(columns, **{column: best})


@dataclass(frozen=True, slots=True)
class _Wishes:
    """Widths of the texts that may stand in a column, by what they give to read."""

    narrow: Sequence[int] = ()
    pictures: Sequence[int] = ()
    """Whole pictures of arrays, all figures of what is not kept."""
    numbers: Sequence[int] = ()
    """Arrays as numbers of two digits."""
    digits: Sequence[int] = ()
    """And of more; numbers of more than nine cells."""
    changes: Sequence[int] = ()
    """Gradients before and after a step."""

    def least(self, title: int) -> int:
        """The width with which the column does."""
        return max([title, *self.narrow])


class _TraceWishes(NamedTuple):
    gradient: _Wishes
    title: int
    grad_fn: int


@remembered
def _wishes(trace: Trace) -> _TraceWishes:
    nodes = range(len(trace.nodes))
    steps = [step for step in _sample(range(len(trace))) if trace.totals[step] is not None]
    titles = [_title(trace, each.output) for each in trace.passes if each.output is not None]
    grad_fns = (grad_fn_text(trace, node) for node in _sample(nodes))
    totals = (trace.totals[step] for step in steps)
    gradient = _joined((_asked(total), len(ARROW)) for total in totals if total is not None)
    return _TraceWishes(
        replace(gradient, changes=[*_changes(trace, steps)]),
        max(map(len, titles), default=0),
        max(max(map(len, grad_fns), default=0), len("grad_fn")),
    )


ARROW = "→ "


def _sample(numbers: Sequence[int]) -> Sequence[int]:
    """At most 500 of them, from everywhere."""
    return numbers[:: max(-(-len(numbers) // _SAMPLE), 1)]


def _values(trace: Trace, rows: Sequence[Named], node: int) -> _Wishes:
    """What values ask for beside a column of `node` cells, in which they may begin."""
    known = _asked_before(trace)
    for row in rows:
        if row.node not in known:
            known[row.node] = _asked(trace.nodes.value[row.node])
    return _joined((known[row.node], min(row.width - node, 0)) for row in rows)


@remembered
def _asked_before(trace: Trace) -> dict[int, _Wishes]:
    """What the values of nodes ask for, as far as they were looked at."""
    del trace
    return {NO_NODE: _Wishes()}


def _title(trace: Trace, output: int) -> str:
    title = f"∂{trace.label(output)}/∂node"
    return title if len(title) <= _MOST_TITLE else TITLE


def _joined(parts: Iterable[tuple[_Wishes, int]]) -> _Wishes:
    """All wishes, of each so many cells more."""
    every = _Wishes([], [], [], [])
    for wishes, more in parts:
        for name in ("narrow", "pictures", "numbers", "digits"):
            getattr(every, name).extend(cells + more for cells in getattr(wishes, name))
    return every


def _asked(value: Known) -> _Wishes:
    narrow = [len(figure(value, _NARROW_FIGURE))]
    if isinstance(value, Summary):
        return _Wishes(narrow, pictures=[len(notation.short(value))])
    if not isinstance(value, np.ndarray):
        return _Wishes(narrow, digits=[len(notation.short(value))])
    listed = [len(text) for text in _listings(value)]
    return _Wishes(narrow, [len(notation.pictured(value))], listed[-1:], listed)


def _listings(array: np.ndarray) -> Iterator[str]:
    """An array as numbers, with ever fewer digits."""
    room = _MOST_LISTED
    while text := notation.listed(array, room):
        yield text
        room = len(text) - 1


def _changes(trace: Trace, steps: Iterable[int]) -> Iterator[int]:
    """The widths of `before → after`, of numbers and pictures."""
    for step in steps:
        receiver = int(trace.receivers[step])
        before = None if receiver == NO_NODE else trace.gradient(receiver, step)
        after = trace.totals[step]
        if before is not None and after is not None:
            yield len(notation.short(before)) + 1 + len(ARROW) + len(notation.short(after))


_MOST_OUTPUTS = 2_000
"""Of a group with more no figures are told here: they would take too long at each step."""


@dataclass(frozen=True, slots=True)
class GroupFigures:
    """Texts of cells."""

    value: str
    gradient: str
    is_spoilt: bool


def group_figures(view: View, row: int, width: int, gradient_width: int) -> GroupFigures | None:
    """What the columns say of the group that `row` stands for; None for a node's row."""
    session, outline = view.session, view.session.outline
    group = outline.group(row)
    if group is None or outline.tree is None:
        return None
    trace, outputs = session.trace, outline.tree.outputs[group]
    if not 0 < len(outputs) <= _MOST_OUTPUTS:
        return GroupFigures("", "", is_spoilt=False)
    one_value = trace.nodes.value[outputs[0]] if len(outputs) == 1 else None
    is_there = trace.is_computed(outputs[0], session.cursor)
    value = figure(one_value, width) if is_there else ""
    gradients = [trace.gradient(node, session.cursor) for node in outputs]
    known = [each for each in gradients if each is not None]
    if not known:
        return GroupFigures(value, "", is_spoilt=False)
    norm = hypot(*map(norm_of, known))
    three, two = notation.number(norm, 3), notation.number(norm, 2)
    texts = (f"‖grad‖ {three}", f"‖{three}‖", f"‖{two}‖", two)
    text = next((each for each in texts if len(each) <= gradient_width), two)
    return GroupFigures(value, text, any(map(view.is_gradient_spoilt, outputs)))
