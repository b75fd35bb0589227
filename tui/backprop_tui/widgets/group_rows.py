"""What the row of a group says: its output's value, and how large the gradient is that came in."""

from __future__ import annotations

from math import hypot

from backprop_engine.basics import notation
from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.values import norm_of
from backprop_tui.view.text import figure
from backprop_tui.view.view import View

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
