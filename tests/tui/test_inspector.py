"""The inspector in the running app: its keys, the mouse, and arrays of any size."""

from __future__ import annotations

from threading import Event

import numpy as np
import pytest
from tests.tui.stillness import PATIENCE, nobody_waits, until

from backprop_engine.basics.source import Source, Span
from backprop_engine.grammar.syntax import Assignment, Call, Name
from backprop_engine.program.scenario import Backward, Input, Scenario
from backprop_engine.run.record import record
from backprop_tui.app.palette import CommandList
from backprop_tui.inspecting import layers
from backprop_tui.inspecting.layers import statistics
from backprop_tui.screens.debugger import DebuggerScreen
from backprop_tui.screens.help import HelpScreen
from backprop_tui.screens.inspector import InspectorScreen
from backprop_tui.widgets.array_table import CELL, ArrayTable, LayerTabs

LESSON = "attention.yaml"


async def inspect(pilot, label, *keys):
    """Open the inspector on a node, all steps done."""
    await pilot.press("f", "f", "slash", *label, "enter", "enter", *keys)
    await pilot.pause()
    assert isinstance(pilot.app.screen, InspectorScreen)


def line_with(shown, text):
    return next(line for line in shown.splitlines() if text in line)


async def test_enter_on_an_array_opens_its_table(opened, text_of):
    async with opened(LESSON) as pilot:
        await inspect(pilot, "W")
        shown = text_of(pilot)
        value = pilot.app.session.trace.nodes.value[pilot.app.session.node]
        assert "W  14×12  float64" in shown
        assert f"W[0, 0] = {float(value[0, 0])!r}" in shown
        assert "nan 0  inf 0" in shown
        await pilot.press("escape")
        assert isinstance(pilot.app.screen, DebuggerScreen)


async def test_enter_on_a_reference_still_leads_to_the_full_drawing(opened):
    async with opened() as pilot:
        await pilot.press("end", "up", "enter")
        await pilot.pause()
        assert isinstance(pilot.app.screen, DebuggerScreen)
        session = pilot.app.session
        assert not session.outline.is_reference[session.row]


async def test_keys_that_move_in_the_table(opened, text_of):
    moves = {
        "right down": "[1, 1]", "l j": "[1, 1]", "l j h k": "[0, 0]", "end": "[0, 11]",
        "end home": "[0, 0]", "pagedown": "[13, 0]", "pagedown pageup": "[0, 0]",
        "ctrl+end": "[13, 11]", "ctrl+end ctrl+home": "[0, 0]", "left up": "[0, 0]",
    }  # fmt: skip
    async with opened(LESSON) as pilot:
        await inspect(pilot, "W")
        for keys, place in moves.items():
            await pilot.press("ctrl+home", *keys.split())
            await pilot.pause()
            assert f"W{place} = " in text_of(pilot)


async def test_the_quantity_changes_with_tab_and_whose_it_is_with_t(opened, text_of):
    async with opened(LESSON) as pilot:
        await inspect(pilot, "W", "l", "tab")
        trace, node = pilot.app.session.trace, pilot.app.session.node
        gradient = trace.gradient(node, len(trace))
        assert "[gradient]" in text_of(pilot)
        assert f"W[0, 1] = {float(gradient[0, 1])!r}".replace("-", "−") in text_of(pilot)
        await pilot.press("t")
        await pilot.pause()
        assert "[torch]" in text_of(pilot)
        await pilot.press("t")
        await pilot.pause()
        assert "difference at [0, 1]: 0" in text_of(pilot)
        assert "every element is 0" in text_of(pilot)
        await pilot.press("tab")
        await pilot.pause()
        assert "the step about to run sends nothing to W" in text_of(pilot)
        await pilot.press("shift+tab")
        await pilot.pause()
        assert "[gradient]" in text_of(pilot)


async def test_slices_of_an_array_with_three_axes(opened, text_of):
    async with opened(LESSON) as pilot:
        await inspect(pilot, "Z")
        assert "[axis 0: 0 of 3]" in text_of(pilot)
        await pilot.press("right_square_bracket", "right_square_bracket", "right_square_bracket")
        await pilot.pause()
        assert "[axis 0: 2 of 3]" in text_of(pilot)
        assert "Z[2, 0, 0] = " in text_of(pilot)
        await pilot.press("left_square_bracket", "a")
        await pilot.pause()
        assert "Z[1, 0, 0] = " in text_of(pilot)

        await pilot.press("x")
        await pilot.pause()
        value = pilot.app.session.trace.nodes.value[pilot.app.session.node]
        place = np.unravel_index(np.abs(value).argmax(), value.shape)
        assert f"Z[{', '.join(map(str, map(int, place)))}] = " in text_of(pilot)


async def test_the_exclamation_mark_goes_from_nan_to_nan(opened, text_of):
    async with opened(LESSON) as pilot:
        await inspect(pilot, "v/v")
        assert line_with(text_of(pilot), "[0] = ").strip().endswith("nan")
        await pilot.press("exclamation_mark")
        await pilot.pause()
        assert "[6] = nan" in text_of(pilot)
        await pilot.press("exclamation_mark")
        await pilot.pause()
        assert "[0] = nan" in text_of(pilot)
        assert "nan 2" in text_of(pilot)


async def test_steps_can_be_made_from_the_inspector_and_the_table_follows(opened, text_of):
    async with opened(LESSON) as pilot:
        await inspect(pilot, "W", "tab")
        before = pilot.app.session.cursor
        await pilot.press("S", "N")
        await pilot.pause()
        assert pilot.app.session.cursor < before
        assert f"{pilot.app.session.cursor} of {before} done" in text_of(pilot)
        await pilot.press("n", "s")
        await pilot.pause()
        assert isinstance(pilot.app.screen, InspectorScreen)


async def test_copying_one_element_and_all(opened, text_of):
    async with opened(LESSON) as pilot:
        await inspect(pilot, "v", "exclamation_mark")
        assert "no nan and no inf here" in text_of(pilot)
        await pilot.press("l", "l", "y")
        assert pilot.app.clipboard == "-2"
        assert "copied v[2]: -2" in text_of(pilot)
        await pilot.press("t", "y")
        assert "copied v[2] (torch): " in text_of(pilot)
        await pilot.press("t", "t", "Y")
        value = pilot.app.session.trace.nodes.value[pilot.app.session.node]
        assert pilot.app.clipboard == str(value.tolist())


async def test_a_number_is_shown_in_full(opened, text_of):
    async with opened(LESSON) as pilot:
        await inspect(pilot, "x")
        shown = text_of(pilot)
        assert "0x1.999999999999ap-4" in shown
        assert "ulp" in shown
        await pilot.press("down", "up", "x", "exclamation_mark", "y")
        assert pilot.app.clipboard == "0.1"


async def test_of_a_number_y_copies_the_value_whatever_was_pressed_before(opened):
    async with opened(LESSON) as pilot:
        await inspect(pilot, "x")
        for key in ("t", "tab", "t"):
            await pilot.press(key, "y")
            assert pilot.app.clipboard == "0.1"


async def test_help_explains_the_inspector_first(opened, text_of):
    async with opened(LESSON) as pilot:
        await inspect(pilot, "W")
        await pilot.press("question_mark")
        await pilot.pause()
        assert isinstance(pilot.app.screen, HelpScreen)
        assert "Every element of one array" in text_of(pilot)
        await pilot.press("escape")
        assert isinstance(pilot.app.screen, InspectorScreen)


async def test_clicks_choose_cells_and_layers(opened, text_of):
    async with opened(LESSON) as pilot:
        await inspect(pilot, "W")
        await pilot.click(ArrayTable, offset=(4 + CELL + 3, 3))
        await pilot.pause()
        assert "W[2, 1] = " in text_of(pilot)
        line = line_with(text_of(pilot), "[value]")
        await pilot.click(LayerTabs, offset=(line.index("gradient") + 2, 0))
        await pilot.pause()
        assert "[gradient]" in text_of(pilot)
        await pilot.click(LayerTabs, offset=(line.index("difference") + 2, 0))
        await pilot.pause()
        assert "[difference]" in text_of(pilot)
        line = line_with(text_of(pilot), "x largest")
        await pilot.click("#keys", offset=(line.index("largest"), 0))
        await pilot.pause()
        assert "W[0, 0] = " not in text_of(pilot)
        await pilot.click("#keys", offset=(line.index("close"), 0))
        await pilot.pause()
        assert isinstance(pilot.app.screen, DebuggerScreen)


async def test_the_palette_has_the_inspectors_keys(opened):
    async with opened(LESSON) as pilot:
        await inspect(pilot, "W")
        shown = [str(hit.display) async for hit in CommandList(pilot.app.screen).discover()]
        assert "to the next nan or inf  (!)" in shown
        assert "next slice  (])" in shown


async def test_no_figure_is_cut_at_the_edge_of_the_screen(opened, text_of):
    async with opened(LESSON, (66, 20)) as pilot:
        await inspect(pilot, "W")
        value = pilot.app.session.trace.nodes.value[pilot.app.session.node]
        row = next(line for line in text_of(pilot).splitlines() if line[:4].strip() == "1")
        cells = row.split()[1:]
        assert len(cells) == 5
        for cell, number in zip(cells, value[1], strict=False):
            assert float(cell.replace("−", "-")) == pytest.approx(number, rel=1e-4)


# Ten million elements


@pytest.fixture(scope="module")
def huge():
    """y = sum(W) of 10,000,000 elements, among them one nan."""
    here = Span(0, 0)
    array = np.zeros((2500, 4000))
    array[2000, 17] = np.nan
    array[3, 4] = -7.0
    total = Call("sum", None, "", (Name("W", here),), (), here, here)
    return record(
        Scenario(
            source=Source("huge", "…"),
            inputs=(Input("W", array, True, here),),
            statements=(Assignment("y", total, here, here),),
            passes=(Backward("y", None, here),),
        )
    )


async def test_ten_million_elements_are_shown_without_looking_at_more_than_the_screen(
    opened, text_of, huge, missing, monkeypatch
):
    looked_at = []
    block = layers.Layer.block

    def counted(self, index):
        found = block(self, index)
        looked_at.append(found.size)
        return found

    async with opened(huge, (120, 40), missing) as pilot:
        await pilot.press("f", "end")
        with monkeypatch.context() as patch:
            patch.setattr(InspectorScreen, "_count", lambda self: None)
            patch.setattr(layers.Layer, "block", counted)
            await pilot.press("enter", "ctrl+end", "ctrl+home", "pagedown", "end")
            await pilot.pause()
        assert "2500×4000" in text_of(pilot)
        assert "statistics of 10,000,000 elements …" in text_of(pilot)
        assert looked_at
        assert max(looked_at) <= 120 // CELL


async def test_their_statistics_come_from_a_thread_unless_one_has_gone_on(
    opened, text_of, huge, missing, monkeypatch
):
    gone_on, found = Event(), []

    def late(layer, *is_cancelled):
        with nobody_waits():
            gone_on.wait(PATIENCE)
        found.append(statistics(layer, *is_cancelled))
        return found[-1]

    async with opened(huge, (120, 40), missing) as pilot:
        with monkeypatch.context() as patch:
            patch.setattr("backprop_tui.screens.inspector.statistics", late)
            await pilot.press("f", "end", "enter", "tab")
            gone_on.set()
            await until(pilot, lambda: found)
        assert found == [None]
        assert pilot.app.screen._statistics is None
        await pilot.press("shift+tab")
        shown = text_of(pilot)
        assert "min −7" in shown
        assert "zeros 9,999,998" in shown
        assert "nan 1" in shown
        await pilot.press("exclamation_mark")
        await pilot.pause()
        assert "W[2000, 17] = nan" in text_of(pilot)
        await pilot.press("x")
        await pilot.pause()
        assert "W[3, 4] = −7" in text_of(pilot)
