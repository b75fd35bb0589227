"""Whatever a scenario, a file's name, an oracle or a person says, each screen shows it harmlessly.

No character that is not printable reaches the terminal or the clipboard, and nothing is read as
markup.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest
from textual.widgets import Input

from backprop_engine.reading.explain import Explanation
from backprop_engine.run.tape import graph_of
from backprop_engine.trace import Missing
from backprop_tui.config.settings import parse_settings
from backprop_tui.oracles.report import Failed, Ready
from backprop_tui.oracles.sympy.report import Function, Mathematics, Partial, SymbolicReport

EVIL = "[red]\x1b[31m\x07é\u202e\u200b\x9b5m\t\x7f[/]"
HIDDEN = "\u202e\u2066\u200b[red]"
"""What may stand in the text of a file: YAML lets no control characters in, but these."""
SIZES = [(80, 24), (160, 40)]

LESSON = f"""\
title: {json.dumps(EVIL)}
about: {json.dumps(f"# {EVIL} [link](http://x) ![image](http://x)" + chr(10) + EVIL)}
inputs:
  x: {{value: [0, 2], requires_grad: true}}   # {HIDDEN}
  אبc: 3
compute: |
  h = torch.log(x) * אبc  # {HIDDEN}
  y = torch.einsum('i,i->', h, x) + 0 * h.sum()
hints: {json.dumps(dict.fromkeys(["x", "h", "y"], EVIL))}
"""
BAD = f"title: {json.dumps(EVIL)}\ninputs: {{x: 2}}\ncompute: y = x + {HIDDEN}\n"
PANES = 7


def on_screen(pilot):
    return "\n".join(strip.text.rstrip() for strip in pilot.app.screen._compositor.render_strips())


def is_harmless(text):
    return all(line.isprintable() for line in text.split("\n"))


@pytest.fixture
def evil_folder(tmp_path, monkeypatch):
    """A folder whose files mean no good by their names either."""
    folder = tmp_path / f"a{EVIL}".replace("/", "")
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def lesson(evil_folder):
    path = evil_folder / f"{EVIL}.yaml".replace("/", "")
    path.write_text(LESSON, encoding="utf-8")
    return path


async def look(pilot):
    """What stands on the screen, once it is seen to be harmless."""
    await pilot.pause()
    shown = on_screen(pilot)
    assert is_harmless(shown), [line for line in shown.split("\n") if not line.isprintable()]
    assert not re.search(r"[^] ]␛", shown)  # `[red]` stands before it, as in EVIL
    return shown


async def walk(pilot, *keys):
    for key in keys:
        await pilot.press(key)
        await look(pilot)


@pytest.mark.parametrize("size", SIZES)
async def test_panes(opened, lesson, size):
    async with opened(lesson, size) as pilot:
        assert "[red]␛[31m␇é��" in await look(pilot)
        await walk(pilot, "s", "f", "n", "n")
        for _ in range(PANES):
            await walk(pilot, "tab")
        await walk(
            pilot, "ctrl+o", "escape", "question_mark", "escape", "m", "a", "apostrophe", "escape"
        )


OPENING = ["enter", "o", "a", "e", "v", "L", "B", "w", "slash", "g", "ctrl+p"]


async def test_screens_that_a_key_opens(opened, lesson):
    async with opened(lesson, (100, 30)) as pilot:
        await walk(pilot, "f", "f", "up")
        for key in OPENING:
            before = pilot.app.screen
            await walk(pilot, key)
            assert pilot.app.screen is not before, key
            await walk(pilot, "escape")
            assert pilot.app.screen is before, key


@pytest.mark.parametrize("key", ["e", "B", "w", "slash", "g"])
async def test_what_is_typed_into_a_prompt(opened, lesson, key):
    async with opened(lesson, (100, 30)) as pilot:
        await walk(pilot, "f", "up", key)
        for text in (EVIL, f"x # {EVIL}", f"x if '{EVIL}'"):
            pilot.app.screen.query_one(Input).value = text
            await look(pilot)
            await walk(pilot, "enter")
            if not pilot.app.screen.query(Input):
                await walk(pilot, "s", "L", "escape", key)


class Saying:
    """An oracle with something to say."""

    def __init__(self, answer):
        self.ask = answer if callable(answer) else lambda _: answer

    def close(self):
        return None


def evil_formulas(trace):
    said = Mathematics(EVIL, EVIL)
    partials = {
        node: Partial(said, 1.0, 1.0, "" if node else EVIL)
        for node in graph_of(trace).inputs.values()
    }
    outputs = {pass_.output for pass_ in trace.passes if pass_.output is not None}
    return Ready(
        SymbolicReport(
            EVIL,
            {
                node: Function(tuple(graph_of(trace).inputs.values()), said, 1.0, partials)
                for node in outputs
            },
        )
    )


@pytest.mark.parametrize(
    ("torch", "symbolic"),
    [
        (None, evil_formulas),
        (Failed(EVIL, EVIL), Failed(EVIL, EVIL)),
        (Failed(EVIL, EVIL, is_late=True), Missing(EVIL, EVIL, EVIL)),
    ],
)
async def test_what_an_oracle_says(opened, lesson, agreeing, torch, symbolic):
    def evil_report(trace):
        report = agreeing.ask(trace).report
        return Ready(replace(report, version=EVIL, grad_fns=dict.fromkeys(report.grad_fns, EVIL)))

    async with opened(
        lesson, (120, 40), Saying(torch or evil_report), symbolic=Saying(symbolic)
    ) as pilot:
        await walk(pilot, "f", "s", "tab", "tab", "tab")
        await pilot.app.workers.wait_for_complete()
        for _ in range(PANES):
            await walk(pilot, "z", "tab")
        await walk(pilot, "enter", "escape", "ctrl+r")


async def test_lists_and_bad_scenarios(opened, lesson, evil_folder):
    (evil_folder / f"bad{EVIL}.yaml".replace("/", "")).write_text(BAD, encoding="utf-8")
    async with opened(evil_folder, (100, 30)) as pilot:
        assert "bad" in await look(pilot)
        for _ in range(2):
            await walk(pilot, "down", "enter", "escape")
            while len(pilot.app.screen_stack) > 2:
                await walk(pilot, "q")


async def test_a_file_that_is_saved_badly_or_taken_away(opened, lesson):
    async with opened(lesson, (100, 30)) as pilot:
        lesson.write_text(BAD, encoding="utf-8")
        await walk(pilot, "R", "R", "escape")
        lesson.unlink()
        await walk(pilot, "R", "R", "escape", "E")
        for _ in range(8):
            pilot.app._look_round()
            await look(pilot)


async def test_what_is_wrong_with_the_settings(opened, lesson):
    settings = parse_settings(
        f'theme = {json.dumps(EVIL)}\n[keys]\nquit = "{HIDDEN}"', f"/{EVIL}/c"
    )
    async with opened(lesson, (100, 30)) as pilot:
        pilot.app.session = replace(pilot.app.session, notice=settings.notice)
        assert "there is no theme" in await look(pilot)


async def test_what_is_copied(opened, lesson, monkeypatch):
    said = Explanation(headline=EVIL, sentence=EVIL, notes=(EVIL,))
    async with opened(lesson, (100, 30)) as pilot:
        await walk(pilot, "f", "s", "s")
        monkeypatch.setattr(type(pilot.app.session), "explanation", said)
        for name in ("copy_value", "copy_gradient", "copy_markdown", "copy_latex"):
            await pilot.app.run_action(f"app.copy('{name}')")
            assert pilot.app.clipboard
            assert is_harmless(pilot.app.clipboard)


async def test_a_picture(opened, lesson, evil_folder):
    async with opened(lesson, (100, 30)) as pilot:
        await pilot.app.run_action("app.save_picture")
        await look(pilot)
        (svg,) = evil_folder.glob("*.svg")
        assert is_harmless(svg.read_text())
        assert svg.name.isprintable()
