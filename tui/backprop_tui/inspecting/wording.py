"""The inspector's lines of text: what is shown, one element in full, statistics, a number."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from textual.content import Content

from backprop_engine.basics import notation
from backprop_engine.basics.values import Value
from backprop_tui.inspecting.grid import Grid
from backprop_tui.inspecting.layers import Layer, Quantity, Statistics, Whose, bars, facts, layer_of
from backprop_tui.view.glyphs import Glyphs
from backprop_tui.view.text import fit, printable
from backprop_tui.view.view import View

MUTED = "$foreground-muted"
_NAMED = "bold"


def heading(view: View, node: int, layer: Layer, width: int) -> Content:
    """The node, and the shape and dtype of what is shown; the place in the run on the right."""
    session = view.session
    label = printable(session.trace.label(node))
    facts_shown = []
    if layer.shown is not None:
        facts_shown = [notation.shape(layer.shape) or "number", layer.dtype]
    grad_fn = session.trace.nodes.grad_fn(node)
    left = "  ".join([*facts_shown, *([grad_fn] if grad_fn else [])])
    right = f"{session.cursor:,} of {len(session.trace):,} done"
    name = fit(label, max(width // 3, 8))
    left = fit(view.glyphs.text(left), max(width - len(name) - len(right) - 4, 1))
    gap = " " * max(width - len(name) - 2 - len(left) - len(right), 1)
    return Content.assemble((name, _NAMED), "  ", left, gap, (right, MUTED))


def element_line(
    view: View, node: int, layer: Layer, grid: Grid, cell: tuple[int, int], whose: Whose
) -> Content:
    """The element under the cursor, with all its digits."""
    index = grid.index(*cell)
    if layer.shown is None or index is None or not grid.rows:
        return Content()
    number = layer.block(index)[()]
    label = printable(view.session.trace.label(node))
    what = f"{label}{grid.name(index)} = " if whose is Whose.OURS else ""
    if whose is not Whose.OURS:
        what = f"{whose} at {grid.name(index)}: "
    return Content.assemble((what, MUTED), (view.glyphs.text(digits(number)), "bold"))


def digits(number: Value | np.generic) -> str:
    """All digits; a number that is none gets a mark."""
    if isinstance(number, np.generic) and not isinstance(number, np.float32):
        number = number.item()
    return notation.number(number)


def statistics_lines(
    view: View, layer: Layer, known: Statistics | None, width: int
) -> list[Content]:
    """Two lines: the figures; and the histogram between its ends."""
    glyphs = view.glyphs
    if layer.shown is None:
        return [Content(), Content()]
    if known is None:
        waiting = f"statistics of {math.prod(layer.shape):,} elements {glyphs.waiting}"
        return [Content.styled(waiting, MUTED), Content()]
    return [_figures(glyphs, known, width), _histogram(glyphs, known, width)]


def _figures(glyphs: Glyphs, known: Statistics, width: int) -> Content:
    parts: list[Content] = []
    used = 0
    for name, figure in facts(known):
        is_bad = name in ("nan", "inf") and figure != "0"
        text = glyphs.text(figure)
        used += len(name) + len(text) + 3
        if used - 2 > width and not is_bad:
            continue
        style = "bold $error" if is_bad else "bold"
        parts.append(Content.assemble((f"{name} ", MUTED), (text, style)))
    return Content("  ").join(parts)


def _histogram(glyphs: Glyphs, known: Statistics, width: int) -> Content:
    if not known.finite:
        return Content.styled("no element is finite", "bold $error")
    if known.minimum == known.maximum:
        same = "every finite element is" if known.finite < known.count else "every element is"
        return Content.assemble((f"{same} ", MUTED), glyphs.text(digits(known.minimum)))
    low, high = (glyphs.text(notation.number(end, 4)) for end in (known.minimum, known.maximum))
    ends = Content.assemble(
        (f"{low} ", MUTED), (glyphs.text(bars(known.histogram)), "$primary"), (f" {high}", MUTED)
    )
    note = "" if known.finite == known.count else "   of what is finite"
    return Content.assemble(ends, (note if width > ends.cell_length + len(note) else "", MUTED))


def number_lines(view: View, node: int, width: int) -> list[Content]:
    """A number in full: each quantity by us, by torch, apart; then its bits and neighbours."""
    glyphs = view.glyphs
    lines = []
    for quantity in Quantity:
        lines.append(Content.styled(str(quantity), "bold $primary"))
        for whose in Whose:
            layer = layer_of(view, node, quantity, whose)
            if layer.shown is None:
                if whose is Whose.OURS:
                    lines.append(Content.styled(fit("  " + layer.reason, width), MUTED))
                    break
                text, style = layer.reason, MUTED
            else:
                text, style = digits(layer.block(())[()]), "bold"
            lines.append(Content.assemble((f"  {whose:<12}", MUTED), (glyphs.text(text), style)))
            if whose is Whose.OURS and layer.dtype.startswith("float"):
                lines += [
                    Content.assemble((f"  {name:<12}", MUTED), glyphs.text(text))
                    for name, text in bits(layer.block(())[()])
                ]
        lines.append(Content())
    return lines


def bits(number: Any) -> list[tuple[str, str]]:
    """A float in base 16, and how far away the next larger number is."""
    exact = float(number)
    if not math.isfinite(exact):
        return []
    with np.errstate(all="ignore"):
        gap = float(np.spacing(number))
    return [("base 16", exact.hex()), ("ulp", notation.number(abs(gap), 6))]
