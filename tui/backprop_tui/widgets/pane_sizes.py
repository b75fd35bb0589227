"""How the panes share the screen: by what stands in them, until a person moves a border.

`Wishes` are what the panes ask for, taken once for a trace, so that nothing moves while stepping.
Each column of panes goes through a list of wishes in its order of importance; the last line is
for the pane that has use for all there is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from textual.geometry import Offset, Region, Size

from backprop_engine.basics.dataclass import dataclass

LEFT, RIGHT = ("graph", "source", "notes"), ("chain", "yours", "torch", "symbolic", "watches")
SHARING: Final = ("yours", "torch", "symbolic")
"""Panes that share one place on a wide screen: the first, until another is turned to."""
TABS = "tabs"
_SPLIT, _BELOW = "left", "below"
"""The names under which the width of the left column is kept, and the height of a narrow graph."""
SIZES: Final = frozenset((*LEFT, *RIGHT, _SPLIT, _BELOW))
"""What a person can choose the size of."""
WHOLE: Final = 1_000
"""Sizes that a person has chosen are kept in thousandths, so that they suit another screen."""
_LEAST_COLUMN, _LEAST_RULE = 24, 46
_LEAST_LEFT, _MOST_LEFT = 45, 58
"""Percent of the width, of which no more goes to figures while the chain rule needs it."""
_FRAME, _EDGES = 2, 4
"""Lines and columns of a border, and of what is kept free beside it."""

Sizes = Mapping[str, int]
"""Thousandths of the width or height, by pane; by content where a name is missing."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """Cells and lines that would hold all of a pane, without borders."""

    names: int = 40
    """The width at which no name in the graph is cut."""
    width: int = 60
    """Of all in the graph."""
    text: int = 50
    """Of the source under it."""
    graph: int = 12
    source: int = 8
    notes: int = 0
    """0 where there are none, which folds the pane to its title."""
    watches: int = 0
    """The same of watches."""


class Border(NamedTuple):
    """What a person can move: the line between the columns, or between two panes of one."""

    upper: str
    lower: str

    @property
    def is_upright(self) -> bool:
        """Whether it stands between the columns."""
        return self.upper == _SPLIT


def arranged(panes: Sequence[str], size: Size, wishes: Wishes, sizes: Sizes) -> dict[str, Region]:
    """Where the panes in sight stand: one alone, two with the tabs between them, or all."""
    if len(panes) == 1:
        return {panes[0]: size.region}
    if TABS in panes:
        return _stacked(panes, size, wishes, sizes)
    left = left_width(size.width, wishes, sizes)
    regions = {}
    for column, x, width in ((LEFT, 0, left), (RIGHT, left, size.width - left)):
        names = [name for name in column if name in panes]
        y = 0
        for name, height in zip(names, _heights(names, size.height, wishes, sizes), strict=True):
            regions[name] = Region(x, y, width, height)
            y += height
    return regions


def _stacked(panes: Sequence[str], size: Size, wishes: Wishes, sizes: Sizes) -> dict[str, Region]:
    room = max(size.height - 1, 0)
    below = next((pane for pane in panes if pane not in ("graph", TABS)), "")
    graph = min(wishes.graph, room // 2)
    if _BELOW in sizes:
        graph = _share(sizes[_BELOW], room, 2)
    parts = {"graph": graph, TABS: 1, below: room - graph}
    regions, y = {}, 0
    for name, height in parts.items():
        regions[name] = Region(0, y, size.width, height)
        y += height
    return regions


def _share(thousandths: int, whole: int, least: int) -> int:
    return max(min(round(thousandths * whole / WHOLE), whole - least), least)


def left_width(width: int, wishes: Wishes, sizes: Sizes) -> int:
    """The columns of the graph, and of what stands under it."""
    if _SPLIT in sizes:
        return _share(sizes[_SPLIT], width, _LEAST_COLUMN)
    names, everything = wishes.names + _EDGES, wishes.width + _EDGES
    return max(
        min(names, width - _LEAST_RULE),
        min(everything, width * _MOST_LEFT // 100),
        min(wishes.text + _EDGES, width // 2),
        width * _LEAST_LEFT // 100,
    )


def _heights(names: Sequence[str], height: int, wishes: Wishes, sizes: Sizes) -> list[int]:
    if all(name in sizes for name in names):
        return _kept(names, height, sizes)
    heights = dict.fromkeys(names, 1)
    for name, wanted in _stages(names, height, wishes):
        if name in heights:
            room = height - sum(heights.values())
            heights[name] += max(min(wanted - heights[name], room), 0)
    heights[names[0]] += height - sum(heights.values())
    return list(heights.values())


def _kept(names: Sequence[str], height: int, sizes: Sizes) -> list[int]:
    """Heights as a person has left them; rounding goes to the first."""
    whole = max(sum(sizes[name] for name in names), 1)
    heights = [max(round(sizes[name] * height / whole), 1) for name in names]
    heights[0] = max(heights[0] + height - sum(heights), 1)
    return heights


def _stages(names: Sequence[str], height: int, wishes: Wishes) -> list[tuple[str, int]]:
    """Panes and how high they want to be, the most important wish first."""
    notes, watches = (count + _FRAME if count else 1 for count in (wishes.notes, wishes.watches))
    graph, source = wishes.graph + _FRAME, wishes.source + _FRAME
    if names[0] == "graph":
        return [
            ("graph", min(graph, 9)),
            ("source", min(source, 6)),
            ("notes", min(notes, 7)),
            ("graph", min(graph, height * 6 // 10)),
            ("source", min(source, height // 3)),
            ("notes", notes),
            ("source", source),
        ]
    oracle = next((name for name in SHARING if name in names), SHARING[0])
    return [
        ("chain", 12),
        (oracle, 7),
        ("watches", min(watches, 6)),
        ("chain", 19),
        (oracle, 12),
        ("watches", watches),
        (oracle, height // 3),
    ]


def border_at(regions: Mapping[str, Region], place: Offset) -> Border | None:
    """The border on which `place` is; None where it is on none."""
    if TABS in regions:
        return Border(_BELOW, TABS) if regions[TABS].contains_point(place) else None
    if len(regions) == 1:
        return None
    if place.x in (regions["graph"].right - 1, regions["graph"].right):
        return Border(_SPLIT, _SPLIT)
    return next(
        (
            border
            for border in _borders(regions)
            if regions[border.lower].x <= place.x < regions[border.lower].right
            and place.y in (regions[border.lower].y - 1, regions[border.lower].y)
        ),
        None,
    )


def border_of(regions: Mapping[str, Region], pane: str, *, is_upright: bool) -> Border | None:
    """The border that the arrows move for `pane`: the one below it, else the one above."""
    if is_upright:
        return Border(_SPLIT, _SPLIT) if len(regions) > 1 and TABS not in regions else None
    if TABS in regions:
        return Border(_BELOW, TABS)
    around = [border for border in _borders(regions) if pane in border]
    return next((border for border in around if border.upper == pane), next(iter(around), None))


def _borders(regions: Mapping[str, Region]) -> list[Border]:
    columns = ([name for name in column if name in regions] for column in (LEFT, RIGHT))
    return [Border(*pair) for names in columns for pair in pairwise(names)]


def moved(regions: Mapping[str, Region], sizes: Sizes, border: Border, by: int) -> dict[str, int]:
    """The sizes with `border` moved `by` cells to the right, or lines down, as far as it can be."""
    if border.is_upright:
        graph, whole = regions["graph"].width, max(region.right for region in regions.values())
        wanted = max(min(graph + by, whole - _LEAST_COLUMN), _LEAST_COLUMN)
        return {**sizes, _SPLIT: round(wanted * WHOLE / whole)}
    if border.lower == TABS:
        graph = regions["graph"].height
        whole = sum(region.height for region in regions.values()) - 1
        wanted = max(min(graph + by, whole - 2), 2)
        return {**sizes, _BELOW: round(wanted * WHOLE / max(whole, 1))}
    names = [name for name in (LEFT if border.upper in LEFT else RIGHT) if name in regions]
    heights = {name: regions[name].height for name in names}
    by = max(min(by, heights[border.lower] - 1), 1 - heights[border.upper])
    heights[border.upper] += by
    heights[border.lower] -= by
    whole = sum(heights.values())
    chosen = {name: round(height * WHOLE / whole) for name, height in heights.items()}
    for one in SHARING:
        if one in chosen:
            chosen |= dict.fromkeys(SHARING, chosen[one])  # they share one place
    return {**sizes, **chosen}
