"""An engine of ours with a mistake beside the right one, from the palette or with --broken."""

from __future__ import annotations

from backprop_engine.basics.source import Source
from backprop_tui.cli import main
from backprop_tui.oracles.yours.broken import examiner_of
from backprop_tui.oracles.yours.finding import Finding
from backprop_tui.screens.debugger import DebuggerScreen

BASIC = Source("<-e>", "x=2, y=x**2+3x+1")


async def choose(pilot, words: str) -> None:
    await pilot.press("ctrl+p")
    await pilot.pause(0.2)
    await pilot.press(*("space" if letter == " " else letter for letter in words), "enter")
    for _ in range(200):
        await pilot.app.workers.wait_for_complete()
        await pilot.pause(0.02)
        if isinstance(pilot.app.screen, DebuggerScreen) and not pilot.app.keys.is_typing:
            return


async def found_by(pilot) -> Finding:
    for _ in range(200):
        await pilot.app.workers.wait_for_complete()
        await pilot.pause(0.02)
        if isinstance(pilot.app.yours.found, Finding):
            return pilot.app.yours.found
    raise AssertionError("the engine has not been judged")


async def test_the_palette_has_a_broken_engine_judged_and_takes_it_away(opened, text_of) -> None:
    async with opened(BASIC, (120, 40)) as pilot:
        assert "Yours" not in text_of(pilot)
        await choose(pilot, "overwrite")
        found = await found_by(pilot)
        assert found.verdict is not None
        assert found.verdict.kind == "overwritten"
        await pilot.press("c")
        await pilot.pause()
        assert pilot.app.session.cursor == found.verdict.step == 9
        text = " ".join(text_of(pilot).split())
        assert "[Yours]" in text
        assert "✗ overwritten, step 9" in text
        assert "∂y/∂x gains 4 1 3 ✗" in text
        assert "∂y/∂x after it 7 4 3 ✗" in text
        await choose(pilot, "no broken")
        assert pilot.app.yours.found is None
        assert "Yours" not in text_of(pilot)
        assert pilot.app.session.cursor == 9
        await pilot.press("r", "c")
        assert pilot.app.session.cursor != 9


async def test_where_the_mistake_does_not_show_the_pane_says_where_it_does(opened, text_of) -> None:
    engine = examiner_of("overwrite")
    async with opened(Source("<-e>", "x=2, y=x**3"), (160, 50), yours=engine) as pilot:
        found = await found_by(pilot)
        assert found.is_right
        assert "basic" in found.remarks[0]
        text = " ".join(text_of(pilot).split())
        assert "an engine with the mistake overwrite is right here" in text


async def test_two_arrays_are_both_pictures_where_one_has_no_room_for_its_numbers(
    opened, text_of
) -> None:
    text = "x=[1, 1, 1], w=[4, 5, 6], y=-0.31416*(w*x).sum()"
    broken = examiner_of("upstream-forgotten")
    async with opened(Source("<-e>", text), (120, 40), yours=broken) as pilot:
        await found_by(pilot)
        await pilot.press("c")
        await pilot.pause()
        row = next(line for line in text_of(pilot).splitlines() if " gains " in line)
        assert row.partition(" gains ")[2].split()[:4] == ["3", "▀▀▀", "3", "███"]


def test_an_unknown_mistake_is_refused(capsys, monkeypatch) -> None:
    monkeypatch.setattr("backprop_tui.cli._at_a_terminal", lambda: True)
    assert main(["--broken", "foo", "-e", "x=2, y=x**2"]) == 2
    assert (
        "there is no mistake `foo`; `backprop-tui check --broken list` lists them"
        in capsys.readouterr().err
    )
