"""The overview of the gradient's flow on the screen."""

from __future__ import annotations

import pytest

from backprop_engine.basics.source import Source
from backprop_tui.screens.debugger import DebuggerScreen

RNN = Source(
    "<-e>",
    "x=[1, 2], W=[[0.05, 0.01], [0.02, 0.04]], h=[0.1, 0.2], "
    "for t in range(4): h = tanh(W @ h + x), y = sum(h)",
)


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["80x24", "120x40"])
async def test_the_flow_of_an_rnn(opened, text_of, txt, size):
    async with opened(RNN, size) as pilot:
        await pilot.press("O")
        assert text_of(pilot) == txt


async def test_enter_leads_to_the_node(opened):
    async with opened(RNN) as pilot:
        await pilot.press("O", "j", "j", "enter")
        session = pilot.app.session
        assert isinstance(pilot.app.screen, DebuggerScreen)
        assert session.trace.label(session.node) == "h@4"
        assert session.step.operand == session.node
        await pilot.press("backspace")
        assert pilot.app.session.cursor == 0


async def test_from_the_tree_of_modules_it_unfolds_what_it_leads_to(opened):
    async with opened(RNN) as pilot:
        await pilot.press("G", "O", "j", "j", "j", "enter")
        session = pilot.app.session
        assert session.trace.label(session.node) == "h@3"
        assert session.row in session.visible


async def test_what_is_not_finite_has_its_share(opened, text_of):
    async with opened(Source("<-e>", "x=[0, 1, 2, 3], y=sum(sqrt(x))"), (80, 24)) as pilot:
        await pilot.press("O")
        assert "! 25% nan" in text_of(pilot)


async def test_without_a_backward_pass_it_is_said(opened, text_of, tmp_path):
    (tmp_path / "none.yaml").write_text("inputs: {x: 2}\ncompute: y = x*x\nbackward: [zero_grad]\n")
    async with opened(tmp_path / "none.yaml") as pilot:
        await pilot.press("O")
        assert "No backward pass runs here" in text_of(pilot)
