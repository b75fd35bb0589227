"""Source shows the line of the step, keeps its place, and is never left scrolled sideways."""

from __future__ import annotations

from pathlib import Path

from textual.geometry import Offset

from backprop_engine import load, record
from backprop_engine.basics.notation import short
from backprop_engine.basics.source import Source
from backprop_engine.mistakes.values import seeded
from backprop_tui.widgets.source_pane import SourcePane

GALLERY = Path(__file__).parents[2] / "scenarios" / "gallery"
LAYER = Source(
    "<-e>",
    "X=[[1,2],[3,4],[5,6]], W=[[0.5,-1],[2,0.25]], b=[0.1,0.2], Y=relu(X@W+b), L=(Y**2).mean()",
)
LONG = "\n".join(["inputs: {x: 2}", "compute: |", "  y = sigmoid(x)"]
                 + [f"  y{n} = y * {n}" for n in range(60)] + ["  z = tanh(y)"])  # fmt: skip


def source(pilot):
    return pilot.app.screen.query_one(SourcePane)


def shown(pilot):
    pane = source(pilot)
    return [pane.render_line(y).text for y in range(pane.scrollable_content_region.height)]


async def test_a_line_wider_than_the_pane_is_read_where_the_step_stands(opened):
    async with opened(LAYER, (120, 40)) as pilot:
        await pilot.press(*"fssssss")
        assert source(pilot).scroll_offset.x > 0
        assert "Y=relu(X@W+b), L=(Y**2).mean()" in shown(pilot)[0]
        assert len(shown(pilot)[0]) == source(pilot).scrollable_content_region.width


async def test_a_line_that_is_scrolled_begins_with_a_whole_word(opened):
    async with opened(LAYER, (120, 40)) as pilot:
        await pilot.press(*"fssssss")
        line = shown(pilot)[0].split(maxsplit=1)[1].rstrip()
        assert line.startswith("…")
        at = LAYER.text.index(line[1:].strip())
        assert LAYER.text[at - 1] in " ([{,="


async def test_what_goes_on_in_the_next_line_does_not_scroll_its_first_one(opened):
    text = (
        "x = torch.ones(2, requires_grad=True)\nresult = torch.exp(x.sum(\n"
        + " " * 90
        + "))\nresult.backward()\n"
    )
    async with opened(Source("<-e>", text), (120, 40)) as pilot:
        await pilot.press("s")
        assert source(pilot).scroll_offset.x == 0


async def test_it_is_not_left_scrolled_sideways(opened):
    async with opened("neuron.yaml", (120, 40)) as pilot:
        for key in "fsssszzrnniI":
            await pilot.press(key)
            assert source(pilot).scroll_offset.x == 0


async def test_a_file_that_fits_is_shown_from_its_first_line(opened):
    async with opened(GALLERY / "10-softmax-cross-entropy.yaml", (160, 50)) as pilot:
        await pilot.press("f", "s")
        lines = shown(pilot)
        assert lines[0].split() == ["1", "title:", "p", "−", "y"]
        assert lines[-1].split()[:2] == ["23", "p:"]


async def test_it_keeps_its_place_while_an_operation_is_open_and_while_panes_are_zoomed(
    opened, tmp_path
):
    path = tmp_path / "long.yaml"
    path.write_text(LONG)
    async with opened(path, (120, 40)) as pilot:
        await pilot.press("f")
        left = source(pilot).scroll_offset
        assert left.y > 30
        await pilot.press("g", "1", "enter", "S", "i")
        assert pilot.app.session.outer is not None
        assert source(pilot).scroll_offset == Offset(0, 0)
        await pilot.press("I")
        at_sigmoid = source(pilot).scroll_offset
        assert at_sigmoid.y == 0
        await pilot.press("f", "z", "z")
        assert source(pilot).scroll_offset == left
        await pilot.press("S", "ctrl+t", "ctrl+t")
        assert source(pilot).scroll_offset == left


async def test_values_that_are_not_those_of_the_text_stand_behind_them(opened):
    run = seeded(record(load(GALLERY.parent / "exercises" / "08-mean.yaml")), 3).trace
    value = dict(zip(run.nodes.inputs, run.nodes.value, strict=False))
    async with opened(run, (160, 60)) as pilot:
        lines = [line.rstrip() for line in shown(pilot)]
        assert lines[7].endswith(f"requires_grad: false}}  ≠ {short(value['x'])}")
        assert lines[9].endswith(f"w: 1.2  ≠ {short(value['w'])}")
        assert sum("≠" in line for line in lines) == 4
    async with opened(GALLERY.parent / "exercises" / "08-mean.yaml", (160, 60)) as pilot:
        assert "≠" not in "".join(shown(pilot))
        await pilot.press("e", *"b=-7", "enter")
        await pilot.pause()
        assert [line.strip() for line in shown(pilot) if "≠" in line] == ["11    b: 0.3  ≠ −7"]
