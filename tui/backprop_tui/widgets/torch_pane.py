"""The torch pane: ours beside torch's, for the step, the selected node and every leaf."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from rich.cells import cell_len
from textual.content import Content

from backprop_engine.basics import notation
from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.values import Known
from backprop_engine.checking.compare import Comparison
from backprop_engine.mathematics.text import text_of
from backprop_engine.trace import StepKind
from backprop_tui.oracles.report import Failed, Ready, TorchReport
from backprop_tui.oracles.torch.sweep import our_contribution
from backprop_tui.session.stepping_in import breadcrumb
from backprop_tui.view.text import fit, left, printable, right, shown, wrapped
from backprop_tui.view.view import View
from backprop_tui.widgets.mathematics import styled
from backprop_tui.widgets.pane import TextPane

_MUTED = "$foreground-muted"
_MOST_LEAVES = 50
_MOST_ELEMENTS = 400
_LEAST_FIGURE, _MOST_FIGURE = 6, 19
_NAME, _LEAST_NAME = 20, 14
_STEP_LINES = 2
_DIFFERENCE = 8
_FIXED = _DIFFERENCE + 7
"""The difference, the mark, and the gaps between the columns."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    name: str
    ours: Known | None
    torch: Known | None
    comparison: Comparison | None
    style: str = ""
    brief: str = ""
    """Another name, where that has no room."""

    @property
    def is_same(self) -> bool:
        """Whether torch has this number by number."""
        compared = self.comparison
        return compared is not None and compared.ulp == compared.difference == 0


class TorchPane(TextPane):
    """Compares the step under the cursor and what follows from it."""

    def draw(self, view: View, width: int, height: int) -> list[Content]:
        """The table, and the oracle's state where it has nothing to say."""
        del height
        return torch_lines(view, width)


def torch_lines(view: View, width: int, who: str = "torch") -> list[Content]:
    """The pane's lines, at most `width` cells wide; `who` has the numbers beside ours."""
    lines: list[Content] = []
    if isinstance(view.oracle, Failed):
        lines += wrapped(view.say(view.oracle.reason), width, "bold $warning")
        lines += [*wrapped(view.say(view.remedy(view.oracle)), width), Content()]
    if view.session.opened is not None:
        lines += wrapped(view.say(_inside_sentence(view)), width, _MUTED)
    step, node, leaves = _step_rows(view, who), _node_rows(view), _leaf_rows(view)
    table = _Table(view, width)
    lines.append(table.header(who))
    # Always as many lines, so that what stands below does not jump.
    lines += table.draw(step) + [Content()] * (_STEP_LINES + 1 - len(step))
    lines += wrapped(view.glyphs.text(_departure(view)), width, _MUTED)
    lines.append(_node_title(view, width))
    lines += table.draw(node)
    if leaves:
        lines += [Content(), *table.draw(leaves)]
    if len(leaves) == _MOST_LEAVES:
        lines.append(styled("and further leaves", _MUTED))
    return lines + _elements(view)


def _inside_sentence(view: View) -> str:
    """What torch has to do with the inside of an operation."""
    return (
        f"Outside, {breadcrumb(view.session)[-1]} is one operation to torch. Here it runs the "
        "parts, one by one as we do."
    )


def _step_rows(view: View, who: str) -> list[Row]:
    """What the step about to run sends, and what the receiver then holds."""
    session = view.session
    trace, step = session.trace, session.step
    if step is None or step.node is None or session.explanation is None:
        return []
    index, report, agreed = step.index, _report(view), view.agreement
    if step.kind is StepKind.FORWARD:
        name, value = f"{trace.label(step.node)} after it", trace.nodes.value[step.node]
        off = None if agreed is None else agreed.value(step.node)
        return [Row(name, value, report.values.get(step.node), off, "$warning")]
    ours: Known | None
    target = text_of(session.explanation.target)
    joint = report.joints.get(index)
    if joint is None:
        # Of a learner's engine only the change is seen; one that overwrites has sent another one.
        sent_name = "contribution" if who == "torch" else f"{target} gains"
        name = "seed" if step.kind is StepKind.SEED else sent_name
        ours, sent = trace.contributions[index], report.contributions.get(index)
    else:  # Torch tells these steps only as one sum, and so they are compared.
        name = f"joint of {len(joint.steps)} steps"
        ours, sent = our_contribution(trace, joint.steps), joint.contribution
    after, total = f"{target} after it", trace.totals[index]
    compared = (None, None) if agreed is None else (agreed.contribution(index), agreed.total(index))
    return [
        Row(name, ours, sent, compared[0], "$warning", brief="gained"),
        Row(after, total, report.totals.get(index), compared[1], brief="sum after it"),
    ]


def _departure(view: View) -> str:
    """Why torch has another result here, or could have, where none is wrong."""
    step, agreed = view.session.step, view.agreement
    if step is None or agreed is None or step.index not in agreed.departures:
        return ""
    return f"{view.glyphs.open} {agreed.departures[step.index]}"


def _node_rows(view: View) -> list[Row]:
    """Value and gradient, as of now, of the selected node."""
    session, agreed = view.session, view.agreement
    trace, cursor, node = session.trace, session.cursor, session.node
    rows = []
    if trace.is_computed(node, cursor):
        ours, torch = trace.nodes.value[node], _report(view).values.get(node)
        rows.append(Row("value", ours, torch, None if agreed is None else agreed.value(node)))
    if trace.nodes.requires_grad[node]:
        torch = None if agreed is None else agreed.torch_gradient(node, cursor)
        off = None if agreed is None else agreed.gradient(node, cursor)
        rows.append(Row("gradient now", trace.gradient(node, cursor), torch, off))
    return rows


def _leaf_rows(view: View) -> list[Row]:
    """`.grad` of every input that requires grad, and of what retains it."""
    session, agreed = view.session, view.agreement
    trace, cursor = session.trace, session.cursor
    rows = []
    for node in trace.nodes.keeping_grad[:_MOST_LEAVES]:
        torch = None if agreed is None else agreed.torch_grad(node, cursor)
        off = None if agreed is None else agreed.grad(node, cursor)
        rows.append(Row(f"{trace.label(node)}.grad", trace.grad(node, cursor), torch, off))
    return rows


def _node_title(view: View, width: int) -> Content:
    """The selected node and its `grad_fn`, by torch's own account once it is there."""
    trace, node = view.session.trace, view.session.node
    ours = trace.nodes.grad_fn(node)
    torch = _report(view).grad_fns.get(node, ours)
    name = ours if ours == torch else f"{ours} (torch: {printable(torch)})"
    if not name:
        is_leaf = trace.ends_gradients(node) and trace.nodes.requires_grad[node]
        name = "leaf" if is_leaf else "needs no gradient"
    label = printable(trace.label(node))
    return Content.assemble((label, "bold"), (left(f"  {name}", width - cell_len(label)), _MUTED))


def _elements(view: View) -> list[Content]:
    """Every element of the selected node's value, where it is an array small enough to read."""
    session = view.session
    value = session.trace.nodes.value[session.node]
    if not isinstance(value, np.ndarray) or value.size > _MOST_ELEMENTS:
        return []
    if not session.trace.is_computed(session.node, session.cursor):
        return []
    label = printable(session.trace.label(session.node))
    title = styled(f"every element of {label}", _MUTED)
    lines = [Content(view.glyphs.text(line)) for line in notation.full(value).splitlines()]
    return [Content(), title, *lines]


_NOTHING = TorchReport("", {}, {}, {}, {}, {}, {}, {})


def _report(view: View) -> TorchReport:
    """What torch has reported; nothing before it has."""
    return view.oracle.report if isinstance(view.oracle, Ready) else _NOTHING


class _Table:
    """Rows under each other, in columns that depend on the pane's width alone."""

    def __init__(self, view: View, width: int) -> None:
        self.view = view
        trace = view.session.trace
        self.is_recorded = bool(trace.heading.computed_by)
        leaves = trace.nodes.keeping_grad[:_MOST_LEAVES]
        longest = max((cell_len(f"{trace.label(node)}.grad") for node in leaves), default=0)
        most = min(_NAME, width // 3, width - _FIXED - 2 * _LEAST_FIGURE)
        if self.is_recorded:  # one column of figures, and names of modules inside of modules
            most = width - 2 - _MOST_FIGURE
        self.name = max(min(most, max(longest, _LEAST_NAME)), 6)
        room = width - self.name - 2 if self.is_recorded else (width - self.name - _FIXED) // 2
        self.figure = max(min(room, _MOST_FIGURE), _LEAST_FIGURE)

    def header(self, who: str) -> Content:
        """Who says what; of a recording there is nobody beside torch itself."""
        if self.is_recorded:
            return styled(" " * self.name + "  " + right("recorded", self.figure), _MUTED)
        names = " ".join(right(name, self.figure) for name in ("ours", who))
        return styled(" " * self.name + f"  {names}  " + right("off by", _DIFFERENCE), _MUTED)

    def draw(self, rows: Sequence[Row]) -> list[Content]:
        """One line a row."""
        return [self._line(row) for row in rows]

    def _line(self, row: Row) -> Content:
        view, glyphs = self.view, self.view.glyphs
        name = row.name if cell_len(row.name) <= self.name else row.brief or row.name
        name = view.say(name)
        # The end tells `layers.0.norm1.weight` and `layers.0.norm1.bias` apart.
        told = [(left(fit(name[::-1], self.name)[::-1], self.name), row.style)]
        bold = f"bold {row.style}".strip()
        if self.is_recorded:
            return Content.assemble(*told, ("  " + shown(row.ours, self.figure), bold))
        mark = view.mark(row.comparison)
        apart = "" if row.comparison is None else row.comparison.apart(3)
        if row.ours is None and row.comparison is None and not view.is_waiting:
            mark = ""
        style = {
            glyphs.agrees: "bold $success",
            glyphs.disagrees: "bold $error",
            glyphs.open: "bold $warning",
        }
        if numbers := view.say(self._of_both(row, self.name - cell_len(name))):
            more = max(cell_len(numbers) - 2 * self.figure, 0)
            told = [(left(name, self.name - more), row.style)]
            told.append((" = " if row.is_same else "   ", _MUTED))
            told.append((right(numbers, 2 * self.figure + more), bold))
        else:
            ours, torch = self._alike(row.ours, row.torch)
            told.append((f"  {ours}", bold))
            told.append((f" {torch}", ""))
        return Content.assemble(
            *told,
            ("  " + right(apart, _DIFFERENCE), _MUTED),
            (f" {mark}", style.get(mark, _MUTED)),
        )

    def _alike(self, *values: Known | None) -> Iterator[str]:
        """Two figures: numbers, or pictures where one of them has no room for its numbers."""
        arrays = [value for value in values if isinstance(value, np.ndarray)]
        is_pictured = not all(notation.listed(array, self.figure) for array in arrays)
        for value in values:
            if is_pictured and isinstance(value, np.ndarray):
                yield right(notation.pictured(value, self.figure), self.figure)
            else:
                yield shown(value, self.figure)

    def _of_both(self, row: Row, blank: int) -> str:
        """Numbers for which one column has no room, and both have, where torch has no others.

        They may begin in the `blank` cells behind the row's name.
        """
        ours = row.ours
        is_alone = row.is_same or row.torch is None
        if not is_alone or not isinstance(ours, np.ndarray) or notation.listed(ours, self.figure):
            return ""
        room = 2 * self.figure
        return notation.listed(ours, room) or notation.listed(ours, room + max(blank, 0))


def torch_status(view: View) -> str:
    """The oracle's state, and whether it agrees with the whole trace, for the top line."""
    if computed_by := view.session.trace.heading.computed_by:
        return f"recorded by {printable(computed_by)}"
    if isinstance(view.oracle, Failed):
        return "no torch"
    if not isinstance(view.oracle, Ready) or view.agreement is None:
        return f"torch {view.glyphs.waiting}"
    version = printable(view.oracle.report.version.partition("+")[0])
    is_off = view.agreement.faulty_nodes or view.agreement.faulty_steps
    mark = view.glyphs.open if view.agreement.departures else view.glyphs.agrees
    return f"torch {version} {view.glyphs.disagrees if is_off else mark}"
