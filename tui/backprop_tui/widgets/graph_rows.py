"""One row of the tree as styled cells: a pure function of the view, the row and the columns."""

from __future__ import annotations

from rich.cells import cell_len

from backprop_engine.basics import notation
from backprop_engine.basics.dataclass import dataclass
from backprop_engine.reading.explain import expression
from backprop_engine.trace import NO_NODE, StepKind, Trace
from backprop_tui.session.modules import group_path, group_title
from backprop_tui.session.outline import Outline
from backprop_tui.session.search.searching import is_match
from backprop_tui.session.session import Session
from backprop_tui.session.stops.editing import on_node
from backprop_tui.session.whatif.comparing import gradient_differs, value_differs
from backprop_tui.view.text import cut, figure, fit_path, left, printable, right
from backprop_tui.view.view import View
from backprop_tui.widgets.graph_columns import (
    GUTTER,
    Columns,
    Named,
    choose_columns,
    fitting_title,
    grad_fn_text,
    group_figures,
    least_columns,
)

_SAMPLE = 500
"""Rows looked at to choose the widths; a million would take seconds."""
_WAS_FIGURE = 13
_SHALLOW_LEVELS = 12
_DEEP, _DEEP_LEVELS, _FEW_LEVELS = 30, 6, 4
"""Levels whose lines are drawn; and of a tree that is too deep for lines to lead far."""
_NARROW_NODE = 40
_LEAST_EXPRESSION = 3
_ANCESTORS_ASKED = 1_000
_ABOVE = " (above)"
_EQUALS = " = "
Cell = tuple[str, str]
"""A text and the name of its style."""


def fit_columns(session: Session, width: int) -> Columns:
    """The columns for a pane of `width` cells, by what stands in the rows."""
    return choose_columns(session, _named_rows(session), width)


def width_of_names(session: Session) -> int:
    """The width at which no name is cut."""
    return least_columns(session, _named_rows(session)).width


def _named_rows(session: Session) -> list[Named]:
    rows = session.measured[:: max(-(-len(session.measured) // _SAMPLE), 1)].tolist()
    nodes = session.outline.nodes
    telling = [int(nodes[row]) if _tells_value(session, row) else NO_NODE for row in rows]
    pairs = zip(rows, telling, strict=True)
    return [Named(_row_width(session, row), node) for row, node in pairs]


def _tells_value(session: Session, row: int) -> bool:
    """Whether it is the row of a node and no constant, whose name is its value."""
    trace, node = session.trace, int(session.outline.nodes[row])
    is_literal = trace.is_leaf(node) and node not in trace.nodes.names
    return not is_literal and not session.outline.is_reference[row]


def _row_width(session: Session, row: int) -> int:
    """The cells of a row's lines, mark, name and expression, and of what is told behind them."""
    outline = session.outline
    levels = min(int(outline.depths[row]), _levels(outline, _NARROW_NODE))
    name = printable("".join(_name(session.trace, outline, row)))
    return 2 * levels + 2 + cell_len(name) + len(_hidden(session, row) or _was(session, row))


def header_cells(view: View, columns: Columns, title: str, above: int | None) -> list[Cell]:
    """The names of the columns; after the first, where in the graph `above` is.

    That is the row which the first one in sight hangs under, None for a root.
    """
    place = "" if above is None else _place(view, above, columns, columns.node - len(title) - 2)
    cells = [
        (" " * GUTTER, "plain"),
        (title, "title"),
        (left(f"  {place}", max(columns.node - len(title), 0)), "header"),
        ("  " + right("value", columns.value), "header"),
        ("  " + right(fitting_title(view.session, columns), columns.gradient) + "  ", "header"),
    ]
    if columns.grad_fn:
        cells.append((left("grad_fn", columns.grad_fn) + "  ", "header"))
    return cells


def _place(view: View, above: int, columns: Columns, room: int) -> str:
    """`in hidden1@7[3], depth 38`, the scenario's name that is nearest; as much as has room."""
    trace, outline = view.session.trace, view.session.outline
    depth = f"depth {columns.shallowest:,}"
    around = [above, *outline.ancestors(above, _ANCESTORS_ASKED)]
    nodes = [int(outline.nodes[row]) for row in around]
    name = group_path(outline, above)
    name = name or next((trace.label(node) for node in nodes if node in trace.nodes.names), "")
    if outline.deepest <= _levels(outline, columns.node):
        return printable(f"in {name}") if name and len(name) + 3 <= room else ""
    inside = printable(f"in {name}") if name else depth
    both = f"{inside}, {depth}" if name else depth
    return next((text for text in (both, inside, depth) if cell_len(text) <= room), "")


@dataclass(frozen=True, slots=True)
class RowState:
    """What is true of a row at the cursor."""

    node: int
    is_sending: bool
    is_receiving: bool
    is_selected: bool
    is_step: bool
    """The row draws the eye: the node at work stands in it, or inside its fold."""


def row_state(view: View, row: int) -> RowState:
    """How `row`, a visible row, stands to the step about to run."""
    session, outline = view.session, view.session.outline
    node = int(outline.nodes[row])
    step = session.step
    at_work = step is not None and step.node is not None
    receiver = None if step is None else step.node if step.kind is StepKind.SEED else step.operand
    is_drawn = not outline.is_reference[row]
    return RowState(
        node=node,
        is_sending=at_work and row == session.step_row,
        is_receiving=receiver == node and bool(is_drawn or row == session.edge_row),
        is_selected=session.selected is not None and row == session.holder,
        is_step=at_work and row == session.step_holder,
    )


def row_cells(view: View, row: int, columns: Columns) -> list[Cell]:
    """The cells of a visible row, left to right, as wide as the columns together."""
    session, outline = view.session, view.session.outline
    state = row_state(view, row)
    is_reference = bool(outline.is_reference[row])
    cells = [(view.glyphs.selected if state.is_selected else " ", "selection")]
    cells.append(_breakpoint_mark(view, state.node))
    cells += _node_cells(view, row, state, columns)
    # A value may begin in what the name leaves blank.
    room = columns.value + GUTTER + columns.node - sum(cell_len(text) for text, _ in cells)
    group = group_figures(view, row, room, columns.gradient)
    if group is not None:
        sign, style = (view.glyphs.spoilt, "bad") if group.is_spoilt else ("", "gradient")
        cells.append((right(group.value, room + 2), "value"))
        cells.append((right(f"{sign} {group.gradient}", columns.gradient + 2), style))
        rest = columns.width - GUTTER - columns.node - columns.value - columns.gradient - 4
        return [*cells, (" " * rest, "plain")]
    if is_reference and not state.is_receiving:
        rest = columns.width - GUTTER - columns.node - columns.value
        cells.append((" " * (room + rest), "plain"))
        return cells
    node = state.node
    is_told = session.trace.is_computed(node, session.cursor) and _tells_value(session, row)
    value = session.trace.nodes.value[node] if is_told else None
    text, sign, style = figure(value, room), "", "value"
    if text and view.is_value_spoilt(node):
        sign, style = view.glyphs.spoilt, "bad"
    elif text and value_differs(session, node):
        sign, style = view.glyphs.changed, "change"
    if sign and cell_len(text) == room:
        text = figure(value, room - 1)  # else its sign would touch the name
    cells.append((right(f"{sign} {text}".lstrip(), room + 2), style))
    cells += _gradient_cells(view, row, state, columns)
    mark = "" if is_reference else _torch_mark(view, node)
    cells.append((right(mark, 1), mark_style(view, mark)))
    return cells


def _breakpoint_mark(view: View, node: int) -> Cell:
    there = on_node(view.session, node)
    if any(breakpoint_.is_enabled for breakpoint_ in there):
        return view.glyphs.breakpoint, "bad"
    return (view.glyphs.breakpoint_off, "muted") if there else (" ", "plain")


def mark_style(view: View, mark: str) -> str:
    """The style of a torch mark."""
    styles = {view.glyphs.agrees: "good", view.glyphs.disagrees: "bad", view.glyphs.open: "partial"}
    return styles.get(mark, "muted")


def mark_column(view: View, row: int, columns: Columns) -> int:
    """The column in which a row's mark stands, counted from the row's left edge."""
    return GUTTER + cell_len("".join(text for text, _ in _guides(view, row, columns)))


def _node_cells(view: View, row: int, state: RowState, columns: Columns) -> list[Cell]:
    """Guides, mark, and name with expression, in at most the cells of their column."""
    session, outline, width = view.session, view.session.outline, columns.node
    guides = _guides(view, row, columns)
    used = sum(cell_len(text) for text, _ in guides)
    mark, mark_style = _mark(view, row, state)
    is_told = session.trace.is_computed(state.node, session.cursor)
    was = _was(session, row) if is_told else ""
    suffix = view.say(_hidden(session, row)) or was
    name, made = map(view.say, _name(session.trace, outline, row))
    over = used + 2 + cell_len(name + made) + len(suffix) - width
    if over > 0 and _tells_value(session, row):  # it may end in what its value leaves blank
        value = figure(session.trace.nodes.value[state.node], columns.value)
        width += min(over, columns.value - cell_len(value))
    if suffix == was and used + 2 + cell_len(name) + len(was) > width:
        suffix = ""  # the name before all else
    name, made = _shortened(view, row, max(width - used - 2 - len(suffix), 1))
    style = "label"
    if (outline.is_reference[row] and outline.group(row) is None) or mark == view.glyphs.constant:
        style = "muted"
    if is_match(session, row):
        style = "match"
    if state.is_receiving:
        style = "receiver"
    cells = [*guides, (mark + " ", mark_style), (name, style), (made, "expression")]
    return [*cells, (suffix, "muted")]


def _shortened(view: View, row: int, width: int) -> tuple[str, str]:
    """A name and ` = ` its expression in at most `width` cells: the name before all else."""
    name, made = map(view.say, _name(view.session.trace, view.session.outline, row))
    if cell_len(name + made) <= width:
        return name, made
    room = width - cell_len(name)
    if not made or room < len(_EQUALS) + _LEAST_EXPRESSION:
        return fit_path(name.removesuffix(_ABOVE), width), ""
    return name, cut(made, room)


def _levels(outline: Outline, width: int) -> int:
    """How many levels of lines a column `width` cells wide has room for."""
    if outline.deepest > _DEEP:
        most = _FEW_LEVELS if width < _NARROW_NODE else _DEEP_LEVELS
    else:
        most = _SHALLOW_LEVELS
    return max(min(max(width // 2, 6) - 5, most), 2)


def _guides(view: View, row: int, columns: Columns) -> list[Cell]:
    """The lines that connect a row with the one it hangs under.

    A tree with more levels than there is room for is drawn from the shallowest row in sight on,
    and what is too deep even so is told by number.
    """
    outline = view.session.outline
    levels = _levels(outline, columns.node)
    cut = max(columns.shallowest - 1, 0) if outline.deepest > levels else 0
    depth = int(outline.depths[row]) - cut
    lines: list[str] = []
    if depth > 0:
        lines.append("└─" if outline.is_last[row] else "├─")
    number = ""
    if columns.deepest - cut > levels:
        # Number and lines share the room, so that a deep row starts where its neighbour does.
        digits = len(str(columns.deepest - cut)) + 2
        if depth > levels:
            levels = max(levels - (digits + 1) // 2, 1)
            number = left(f"┄{depth - levels}", digits + digits % 2)
    above = outline.ancestors(row, max(min(depth, levels) - 1, 0))
    lines += ["  " if outline.is_last[parent] else "│ " for parent in above]
    cells = [(number, "muted")] if number else []
    return [*cells, ("".join(reversed(lines[:levels])), "guide")]


def between_cells(view: View, row: int, columns: Columns) -> list[Cell]:
    """A line above `row` where rows stand apart: the tree's lines go on through it."""
    lines = "".join(text for text, _ in _guides(view, row, columns))
    through = lines.replace("├─", "│ ").replace("└─", "│ ")
    rest = columns.width - GUTTER - cell_len(through)
    return [(" " * GUTTER, "plain"), (through, "guide"), (" " * max(rest, 0), "plain")]


def _mark(view: View, row: int, state: RowState) -> Cell:
    session, glyphs = view.session, view.glyphs
    if state.is_sending:
        return glyphs.sending, "sending"
    if session.outline.is_reference[row] and session.outline.group(row) is None:
        return glyphs.reference, "receiver" if state.is_receiving else "muted"
    if not session.trace.nodes.requires_grad[state.node]:
        return glyphs.constant, "muted"
    progress = session.trace.progress(state.node, session.cursor)
    if progress.is_complete:
        is_spoilt = view.is_gradient_spoilt(state.node)
        return glyphs.complete, "bad" if is_spoilt else "complete"
    if progress.received:
        return glyphs.partial, "partial"
    return glyphs.untouched, "partial" if state.is_receiving else "muted"


def _name(trace: Trace, outline: Outline, row: int) -> tuple[str, str]:
    """What a row is called, and ` = ` how it is made, if there is more to say."""
    node = int(outline.nodes[row])
    label = trace.label(node)
    if outline.group(row) is not None:
        return group_title(outline, row), ""
    if outline.is_reference[row]:
        return label + _ABOVE, ""
    if trace.is_leaf(node):
        return label, ""
    made = expression(trace, node)
    return label, "" if made == label else _EQUALS + made  # a negative number is its own name


def _hidden(session: Session, row: int) -> str:
    """How many rows are folded away under one; a group tells that by itself."""
    hidden = int(session.outline.sizes[row]) - 1 if session.folding.is_folded(row) else 0
    if hidden and session.outline.group(row) is not None:
        return " ▸"
    return f" ▸ {hidden:,} more" if hidden else ""


def _was(session: Session, row: int) -> str:
    """The value that a what-if has changed, as the scenario has it."""
    original, node = session.whatif.original, int(session.outline.nodes[row])
    if original is None or session.outline.is_reference[row] or not value_differs(session, node):
        return ""
    return f" was {figure(original.nodes.value[node], _WAS_FIGURE)} "


def _gradient_cells(view: View, row: int, state: RowState, columns: Columns) -> list[Cell]:
    """The gradient now, with what the step makes of it where it receives; and the `grad_fn`."""
    trace, cursor, step = view.session.trace, view.session.cursor, view.session.step
    now, width = trace.gradient(state.node, cursor), columns.gradient
    gap = f" {view.glyphs.changed}" if gradient_differs(view.session, state.node) else "  "
    after = trace.totals[step.index] if state.is_receiving and step is not None else None
    if step is None or after is None:
        text, style = gap + right(figure(now, width), width), "gradient"
        if now is not None and view.is_gradient_spoilt(state.node):
            spoilt = f"{view.glyphs.spoilt} {figure(now, width)}"
            text, style = right(spoilt, width + 2), "bad"
        cells = [(text, style), ("  ", "plain")]
    else:
        # What the pass before has left is muted; this one starts afresh.
        is_new = trace.shown_pass(cursor).index != step.pass_index
        is_asked = view.session.question is not None
        becomes = "?" if is_asked else figure(after, max(width - 2, 1))
        change = f"{view.glyphs.becomes} {becomes}"[:width]
        before = "" if now is None else notation.short(now) + " "
        before = right(before if len(before) <= width - len(change) else "", width - len(change))
        cells = [(gap + before, "muted" if is_new else "gradient")]
        is_spoilt = view.is_gradient_spoilt(state.node, cursor + 1)
        cells += [(change, "bad" if is_spoilt else "change"), ("  ", "plain")]
    if columns.grad_fn:
        is_reference = bool(view.session.outline.is_reference[row])
        text = "" if is_reference else grad_fn_text(trace, state.node)
        cells.append((left(text, columns.grad_fn) + "  ", "muted"))
    return cells


def _torch_mark(view: View, node: int) -> str:
    session = view.session
    trace, cursor = session.trace, session.cursor
    if trace.is_leaf(node) and not trace.nodes.requires_grad[node]:
        return ""
    has_gradient = trace.gradient(node, cursor) is not None
    if not has_gradient and not trace.is_computed(node, cursor):
        return ""
    if view.agreement is None:
        return view.mark(None)
    if has_gradient:
        return view.mark(view.agreement.gradient(node, cursor))
    return view.mark(view.agreement.value(node))
