"""Pictures of the screens that give reasons: origin, autopsy, and the inside of an operation."""

from __future__ import annotations

import pytest

from backprop_engine.basics.source import Source
from backprop_engine.run.tape import graph_of
from backprop_tui.session.session import select
from backprop_tui.view.glyphs import ASCII

SIZES = [(80, 24), (140, 44)]
CHAIN = Source("<-e>", "x=0.5; h=x+0; " + "; ".join(["h = h + 0.1*tanh(h)"] * 100))


async def settle(pilot):
    await pilot.pause()
    await pilot.app.workers.wait_for_complete()
    await pilot.pause()


async def ask(pilot, label, *keys):
    """Run to the end, select the node called `label`, and press `keys`."""
    await pilot.press("f", "f")
    session = pilot.app.session
    node = next(n for n in range(len(graph_of(session.trace))) if session.trace.label(n) == label)
    pilot.app.session = select(session, int(session.outline.full_rows[node]))
    for key in keys:
        await pilot.press(key)
        await settle(pilot)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize(
    ("target", "label", "keys"),
    [("basic.yaml", "x", "o"), (CHAIN, "x", "o"), ("neuron.yaml", "w", "o"),
     ("nan.yaml", "x", "a"), ("neuron.yaml", "%2", "i")],
    ids=["origin", "origin-of-many-paths", "origin-with-arrays", "autopsy", "inside"],
)  # fmt: skip
async def test_reasons(opened, text_of, svg, txt, size, target, label, keys):
    async with opened(target, size) as pilot:
        await ask(pilot, label, *keys)
        assert text_of(pilot) == txt
        assert pilot.app.export_screenshot() == svg


async def test_a_gradient_that_nothing_carries(opened, text_of, txt):
    async with opened(Source("<-e>", "x=-2, y=3*relu(x)")) as pilot:
        await ask(pilot, "x", "o")
        assert text_of(pilot) == txt


async def test_back_outside(opened, text_of, txt):
    async with opened("neuron.yaml") as pilot:
        await ask(pilot, "%2", "i", "I")
        assert text_of(pilot) == txt


@pytest.mark.parametrize(
    ("target", "label", "key"),
    [("basic.yaml", "x", "o"), ("nan.yaml", "x", "a"), ("neuron.yaml", "%2", "i")],
    ids=["origin", "autopsy", "inside"],
)
async def test_reasons_on_an_ascii_terminal(opened, text_of, txt, target, label, key):
    async with opened(target, glyphs=ASCII) as pilot:
        await ask(pilot, label, key)
        assert text_of(pilot) == txt
