"""What is written to the terminal: the cells that have changed, and no others."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from rich.segment import Segment
from rich.style import Style
from textual.app import App, ComposeResult
from textual.content import Content
from textual.geometry import Region
from textual.strip import Strip

from backprop_tui.app.app import DebuggerApp
from backprop_tui.widgets.graph_tree import GraphTree
from backprop_tui.widgets.pane import Sheet
from backprop_tui.widgets.sparing import Sparing, changed_part

TEXTS = st.text("ab─日é\u0301", min_size=1, max_size=3)
SEGMENTS = st.builds(Segment, TEXTS, st.sampled_from([None, Style(bold=True)]), st.none())


def signs(strip: Strip) -> list[tuple[str, Style | None]]:
    return [(sign, segment.style) for segment in strip for sign in segment.text]


# At neither end of a line is a sign that belongs to the one before it.
LINES = st.builds(
    lambda first, rest, last: Strip([Segment(first), *rest, Segment(last)]),
    st.sampled_from("ab"),
    st.lists(SEGMENTS, max_size=4),
    st.sampled_from("ab"),
)


@given(LINES, LINES)
def test_outside_of_the_changed_part_both_lines_are_the_same(old, new):
    part = changed_part(0, old, new)
    old, new = old.adjust_cell_length(26), new.adjust_cell_length(26)
    drawn = Strip.join([old.crop(0, part.x), new.crop(part.x, part.right), old.crop(part.right)])
    assert signs(drawn) == signs(new)


def test_the_end_of_a_longer_line_is_no_end_in_common():
    old, new = Strip([Segment("∂X   ∂%1")]), Strip([Segment("∂W        ∂%1")])
    assert changed_part(0, old, new) == Region(1, 0, 12, 1)


def test_the_changed_part_is_as_small_as_it_can_be():
    old, new = (Strip([Segment(f"a = {figure} ✓")]) for figure in ("1.25", "1.75"))
    assert changed_part(3, old, new) == Region(6, 3, 1, 1)


class Sheets(App[None]):
    def compose(self) -> ComposeResult:
        yield Sheet()


async def test_what_a_layout_has_drawn_counts_as_drawn():
    app = Sheets()
    async with app.run_test(size=(20, 10)) as pilot:
        sheet = app.query_one(Sheet)
        shown = ["a\nx", "a\ny", "a\ny\nz", "b\ny", "a\nx"]
        for text in shown[:-1]:
            sheet.show(Content(text))
            await pilot.pause()
        drawn: list[Region] = []
        refresh = sheet.refresh
        sheet.refresh = lambda *parts, **options: (
            drawn.extend(parts or [sheet.size.region]),
            refresh(*parts, **options),
        )[1]
        sheet.show(Content(shown[-1]))
        assert any(region.contains(0, 0) for region in drawn)  # `b` is on the screen


async def test_a_step_has_only_its_own_lines_of_the_tree_written(opened, monkeypatch):
    async with opened() as pilot:
        await pilot.press("f", "s")
        regions: list[Region] = []
        refresh = GraphTree.refresh

        def note(self, *parts, **options):
            regions.extend(parts or [self.size.region])
            return refresh(self, *parts, **options)

        monkeypatch.setattr(GraphTree, "refresh", note)
        await pilot.press("s")
        assert sum(region.height for region in regions) <= 4


async def test_what_has_not_changed_is_not_written_at_all(opened, monkeypatch):
    async with opened() as pilot:
        drawn: list[Region] = []
        refresh = Sparing.refresh
        monkeypatch.setattr(
            Sparing,
            "refresh",
            lambda self, *parts, **options: (
                drawn.extend(parts or [self.size.region]),
                refresh(self, *parts, **options),
            )[1],
        )
        app = pilot.app
        assert isinstance(app, DebuggerApp)
        app.redraw()
        drawn.clear()
        app.redraw()
        assert not any(region.area for region in drawn)
