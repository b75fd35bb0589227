"""The overview of a gradient's flow as lines: figures in columns, and a bar on a log scale."""

from __future__ import annotations

import math
from typing import Final

from textual.content import Content

from backprop_engine.basics import notation
from backprop_engine.basics.dataclass import dataclass
from backprop_engine.reading.gradient_flow import FlowRow, GradientFlow, Kind
from backprop_tui.view.glyphs import Glyphs
from backprop_tui.view.text import left, right

_NUMBER, _SHARE, _MARK = 8, 5, 10
_LEAST_NAME, _MOST_NAME = 16, 48
_LEAST_BAR, _MOST_BAR = 8, 40
_STYLES: Final = {Kind.LAYER: "bold", Kind.WEIGHT: "", Kind.SHARE: "$foreground-muted"}
_MUTED, _WARNING, _BAD = "$foreground-muted", "bold $warning", "bold $error"


@dataclass(frozen=True, slots=True)
class FlowColumns:
    """Widths in cells, and the decades that the bars span."""

    name: int
    ratio: int
    bar: int
    low: int
    high: int


def flow_columns(flow: GradientFlow, width: int) -> FlowColumns:
    """Columns for `width` cells: what is left when the figures have theirs goes to the bar."""
    names = max((2 * row.depth + len(row.name) for row in flow.rows), default=0)
    ratio = _NUMBER + 1 if any(row.ratio is not None for row in flow.rows) else 0
    mark = _MARK if any(row.mark for row in flow.rows) else 0
    spare = width - 2 * (_NUMBER + 1) - _SHARE - 1 - ratio - mark - 2
    name = max(min(names, _MOST_NAME, spare - _LEAST_BAR), _LEAST_NAME)
    sizes = [row.figures.rms for row in flow.rows]
    decades = [math.log10(size) for size in sizes if 0 < size < math.inf]
    low = math.ceil(min(decades, default=0.0)) - 1
    high = max(math.ceil(max(decades, default=0.0)), low + 1)
    return FlowColumns(name, ratio, max(min(spare - name, _MOST_BAR), 0), low, high)


def flow_header(columns: FlowColumns, glyphs: Glyphs) -> Content:
    """The names of the columns; over the bar the ends of its scale."""
    low, high = (notation.number(10.0**decade, 2) for decade in (columns.low, columns.high))
    scale = f"{low}{high.rjust(columns.bar - len(low))}"
    scale = scale if len(low) + len(high) < columns.bar else left("rms", columns.bar)
    ratio = right("∆w/w", columns.ratio)
    text = (
        f"{left('layer', columns.name)} {right('norm', _NUMBER)} {right('max', _NUMBER)} "
        f"{right('zero', _SHARE)}{ratio}  {scale}"
    )
    return Content.styled(glyphs.text(text), _MUTED)


def flow_line(row: FlowRow, columns: FlowColumns, glyphs: Glyphs) -> Content:
    """One layer, weight or contribution."""
    figures = row.figures
    is_known = figures.nonfinite or not math.isnan(figures.largest)
    norm = notation.number(figures.norm, 3)
    largest = notation.number(figures.largest, 3) if is_known else ""
    zeros = f"{figures.zero_share:.0%}"
    ratio = "" if row.ratio is None else notation.number(row.ratio, 2)
    told = f"{right(norm, _NUMBER)} {right(largest, _NUMBER)} {right(zeros, _SHARE)}"
    mark, style = row.mark, _WARNING
    if mark == "nan":
        mark, style = f"{glyphs.spoilt} {_percent(figures.nonfinite_share)} nan", _BAD
    name = left(glyphs.say("  " * row.depth + row.name), columns.name)
    return Content.assemble(
        (name, _STYLES[row.kind]),
        glyphs.text(f" {told}{right(ratio, columns.ratio)}  "),
        (glyphs.text(_bar(figures.rms, columns)), _BAD if row.mark == "nan" else "$primary"),
        ("  " + mark, style),
    )


def _percent(share: float) -> str:
    """A share that is not 0 is not told as 0."""
    return f"{share:.0%}" if share >= 0.01 else "<1%"


def _bar(size: float, columns: FlowColumns) -> str:
    """As long as the logarithm of the root mean square is far along the scale."""
    if math.isnan(size) or not size:
        return " " * columns.bar
    decades = columns.high - columns.low
    share = (math.log10(size) - columns.low) / decades if size < math.inf else 1.0
    return ("▇" * max(round(share * columns.bar), 1)).ljust(columns.bar)
