"""Steps are asked on the screen: the line at the bottom, and nothing anywhere that tells."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from tests.thorough import share
from tests.tui.conftest import Formulas

from backprop_engine import load, record
from backprop_engine.basics.source import Source
from backprop_engine.mistakes.values import seeded
from backprop_tui.commands.table import COMMANDS
from backprop_tui.oracles.report import Failed
from backprop_tui.screens.debugger import DebuggerScreen
from backprop_tui.screens.help import HelpScreen
from backprop_tui.screens.predict import PredictPrompt
from backprop_tui.session.session import select

SCENARIOS = Path(__file__).parents[2] / "scenarios"
NEURON = Source("<-e>", "x=2, w=0.3, b=0.1, h=w*x+b, t=tanh(h), y=t**3")
MOVING = {
    "predict", "quit", "leave", "suspend_process", "restart", "read_again", "ask_again",
    "save_picture", "node_back", "step_back", "pass_start", "to_node_back",
    "iteration_start", "play_back", "jump_back",
}  # fmt: skip
"""Commands that go elsewhere, or leave."""


async def type_in(pilot, text):
    keys = {"*": "asterisk", "-": "minus", "(": "left_parenthesis", ")": "right_parenthesis",
            ".": "full_stop", " ": "space"}  # fmt: skip
    await pilot.press(*(keys.get(letter, letter) for letter in text))


async def answer(pilot, text):
    await type_in(pilot, text)
    await pilot.press("enter")
    await pilot.pause()


async def test_s_asks_and_a_right_answer_steps(opened, text_of):
    async with opened(NEURON) as pilot:
        await pilot.press("x", "f", "s", "s")
        await pilot.pause()
        line, keys = text_of(pilot).splitlines()[-2:]
        assert line.startswith(" ∂y/∂y = 1 · y = t³ sends to t")
        assert line.endswith("0/0 · streak 0")
        assert "enter judge · tab hint · X show · esc later" in keys
        await answer(pilot, "3*t**2")
        assert isinstance(pilot.app.screen, DebuggerScreen)
        assert "✓ y sends 1.09578 to t" in text_of(pilot)
        assert pilot.app.session.cursor == 6


async def test_x_is_offered_where_it_shows_the_answer_on_an_empty_line(opened, text_of):
    async with opened(NEURON) as pilot:
        await pilot.press("x", "f", "s", "s")
        await answer(pilot, "3")
        assert "X show" not in text_of(pilot)
        await pilot.press("backspace")
        await pilot.pause()
        assert "X show" in text_of(pilot)
        await pilot.press("X")
        await pilot.pause()
        assert isinstance(pilot.app.screen, DebuggerScreen)


async def test_a_mistake_is_told_under_the_line_and_what_was_typed_stays(opened, text_of):
    async with opened(NEURON) as pilot:
        await pilot.press("x", "f", "f")
        await answer(pilot, "3*t**2")
        await answer(pilot, "1-t**2")
        assert "✗ that is the local derivative alone: the upstream ∂y/∂t was" in text_of(pilot)
        assert "1-t**2" in text_of(pilot)
        await pilot.press("home")
        await answer(pilot, "g*(")
        assert "^" in text_of(pilot).splitlines()[-2]


async def test_f_asks_all_questions_of_a_pass_one_after_another(opened, text_of):
    async with opened(NEURON) as pilot:
        await pilot.press("x", "f", "f")
        for text in ("3*t**2", "g*(1-t**2)", "g*x", "g*w"):
            assert isinstance(pilot.app.screen, PredictPrompt)
            await answer(pilot, text)
        assert pilot.app.session.cursor == len(pilot.app.session.trace)
        assert "x.grad = " in text_of(pilot)


async def test_typing_ahead_reaches_each_question(opened):
    async with opened(NEURON) as pilot:
        keys = [*"xff", "g", "asterisk", "3", "asterisk", "t", "asterisk", "t", "enter", "g"]
        await pilot.press(*keys, *["asterisk", "x", "enter"])
        assert pilot.app.session.predicting.score == "1/1 · streak 0"
        assert pilot.app.session.trace.label(pilot.app.session.step.node) == "t"


async def test_tab_hints_and_x_shows(opened, text_of):
    async with opened(NEURON) as pilot:
        await pilot.press("x", "f", "f", "tab", "tab")
        await pilot.pause()
        assert "hint 2 of 3: ? × 3 · ?²" in text_of(pilot)
        await pilot.press("X")
        await pilot.pause()
        assert "y sends 1.09578 to t" in text_of(pilot)
        await pilot.press("tab", "tab", "tab", "tab", "tab")
        await pilot.pause()
        assert "enter judge · X show · esc later" in text_of(pilot)
        assert pilot.app.session.predicting.score == "0/1 · streak 0"


async def test_tabs_that_come_faster_than_they_are_drawn_show_nothing(opened):
    async with opened(NEURON) as pilot:
        await pilot.press("x", "f", "f")
        for _ in range(5):
            pilot.app.screen.action_hint()
        await pilot.pause()
        assert pilot.app.session.predicting.score == "0/0 · streak 0"
        assert pilot.app.session.predicting.hints == 3
        assert isinstance(pilot.app.screen, PredictPrompt)


async def test_a_name_that_begins_with_x_can_be_typed(opened, text_of):
    async with opened(Source("<-e>", "X=2, y=X**3")) as pilot:
        await pilot.press("x", "f", "f")
        await pilot.pause()
        assert "X show" not in text_of(pilot)
        await answer(pilot, "3*X**2")
        assert pilot.app.session.predicting.score == "1/1 · streak 1"


async def test_where_x_begins_a_name_tab_shows_the_answer_after_the_hints(opened, text_of):
    async with opened(Source("<-e>", "X=2, y=X**3")) as pilot:
        await pilot.press("x", "f", "f", "tab", "tab", "tab")
        await pilot.pause()
        assert "enter judge · tab show · esc later" in text_of(pilot)
        await pilot.press("tab")
        assert pilot.app.session.predicting.score == "0/1 · streak 0"


async def test_the_upstream_gradient_has_another_name_where_g_is_one_of_the_scenario(
    opened, text_of
):
    async with opened(Source("<-e>", "g=2, y=g**3")) as pilot:
        await pilot.press("x", "f", "f")
        await pilot.pause()
        assert "or algebra, with upstream for ∂y/∂y." in text_of(pilot)
        await answer(pilot, "upstream*3*g**2")
        assert pilot.app.session.predicting.score == "1/1 · streak 1"


async def test_what_is_closed_says_so_and_a_question_can_wait(opened, text_of):
    async with opened(NEURON) as pilot:
        await pilot.press("x", "f", "f", "escape", "o")
        await pilot.pause()
        assert isinstance(pilot.app.screen, DebuggerScreen)
        assert "this would tell what is asked; x ends the questions" in text_of(pilot)
        await pilot.press("down")
        await pilot.pause()
        assert "x no more questions" in text_of(pilot)
        await pilot.press("x")
        await pilot.pause()
        assert "→ 1.09578" in text_of(pilot)


async def test_a_question_that_comes_up_under_another_screen_waits(opened):
    async with opened(NEURON) as pilot:
        await pilot.press("x", "f", "p", "question_mark")
        for _ in range(3):
            pilot.app.play.tick()
        await pilot.pause()
        assert isinstance(pilot.app.screen, HelpScreen)
        assert pilot.app.session.cursor == 5
        await pilot.press("escape", "s")
        assert isinstance(pilot.app.screen, PredictPrompt)


@dataclass(frozen=True)
class Secrets:
    """The answer and the sum it makes, at one step; and the numbers that may be seen there."""

    told: list[float]
    known: list[float]

    def found_in(self, text: str) -> list[str]:
        """Numbers of three digits and more that are the answer, as far as they go, and no other."""
        written = re.findall(r"\d+(?:\.\d+)?", text)
        numbers = [(number, len(number.replace(".", "").lstrip("0"))) for number in written]
        return [
            number
            for number, digits in numbers
            if digits >= 3
            and any(is_rounded(number, secret, digits) for secret in self.told)
            and not any(is_rounded(number, known, digits) for known in self.known)
        ]


def is_rounded(text: str, number: float, digits: int) -> bool:
    return float(text) == float(f"{abs(number):.{digits}g}")


def secrets_at(trace, step):
    gradients = [trace.gradient(node, step) for node in range(len(trace.nodes))]
    known = numbers([*trace.nodes.value, *(each for each in gradients if each is not None)])
    told = numbers([trace.contribution(step), trace.total_after(step)])
    return Secrets([n for n in told if not np.isclose(np.abs(known), abs(n), 1e-6).any()], known)


def numbers(values):
    return np.concatenate([np.ravel(np.asarray(value, float)) for value in values]).tolist()


async def reads_nothing(pilot, text_of, secrets, where):
    await pilot.pause()
    assert not secrets.found_in(text_of(pilot) + pilot.app.clipboard), where


@pytest.mark.parametrize(
    "name", ["lesson-05-neuron", "gallery/01-inner-derivative", "gallery/09-cross-entropy-score"]
)
async def test_no_pane_has_the_answer_before_it_is_given(opened, text_of, name):
    run = seeded(record(load(SCENARIOS / f"{name}.yaml")), 3).trace
    async with opened(run, (160, 60), symbolic=Formulas(Failed("no formula", ""))) as pilot:
        await pilot.press("x", "f", "f")
        read = []
        for _ in range(share(usual=2, thorough=100)):
            if not isinstance(pilot.app.screen, PredictPrompt):
                break
            secrets = secrets_at(run, pilot.app.session.cursor)
            read += secrets.told
            for _ in range(3):
                await reads_nothing(pilot, text_of, secrets, pilot.app.session.cursor)
                await pilot.press("tab")
            await pilot.press("escape", "tab", "tab", "tab")  # Symbolic in front of Torch
            await reads_nothing(pilot, text_of, secrets, pilot.app.session.cursor)
            await pilot.press("s", "X")
            await pilot.press("f")
        assert read


async def test_neither_symbolic_nor_the_inspector_shows_what_is_asked(opened, text_of):
    async with opened(size=(160, 50)) as pilot:
        await pilot.press("tab", "tab", "tab")
        await pilot.pause()
        assert "dy/dx = 2x + 3" in text_of(pilot)
        await pilot.press("x")
        await pilot.pause()
        assert "dy/dx" not in text_of(pilot)
        assert "closed while steps are asked" in text_of(pilot).partition("Symbolic")[2]
        await pilot.press("f", "f", "escape", "shift+tab", "shift+tab", "shift+tab")
        session = pilot.app.session
        receiver = int(session.outline.full_rows[session.step.operand])
        pilot.app.session = select(session, receiver)
        await pilot.press("enter", "tab", "tab")
        await pilot.pause()
        assert "what is sent is asked first" in text_of(pilot)


async def test_no_command_tells_the_answer(opened, text_of):
    run = seeded(record(load(SCENARIOS / "lesson-05-neuron.yaml")), 3).trace
    async with opened(run, (120, 40)) as pilot:
        await pilot.press("w")
        await answer(pilot, "e.grad*e")
        await pilot.press("x", "f", "f", "X", "escape")
        cursor = pilot.app.session.cursor
        secrets = secrets_at(run, cursor)
        assert secrets.told
        for command in COMMANDS:
            if command.name in MOVING or command.place == "watches":
                continue
            await pilot.app.run_action(command.action, pilot.app.screen)
            await reads_nothing(pilot, text_of, secrets, command.name)
            while not isinstance(pilot.app.screen, DebuggerScreen):
                await pilot.press("escape")
            assert pilot.app.session.cursor <= cursor, command.name
            await reads_nothing(pilot, text_of, secrets, command.name)


async def test_the_texts_of_a_scenario_do_not_tell(opened, text_of):
    async with opened(SCENARIOS / "basic.yaml", (160, 60)) as pilot:
        await pilot.press("x")
        await pilot.pause()
        assert "expect: …" in text_of(pilot)
        assert "x.grad" not in text_of(pilot).partition("Source")[2].partition("╰")[0]
        assert "Notes are closed while steps are asked; x ends the questions." in text_of(pilot)
        await pilot.press("x")
        await pilot.pause()
        assert "expect: …" not in text_of(pilot)
        assert "At x = 2 the answer is 7." in text_of(pilot)


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=lambda size: f"{size[0]}x{size[1]}")
async def test_a_question_and_a_mistake_on_the_screen(opened, text_of, svg, txt, size):
    async with opened(NEURON, size=size) as pilot:
        await pilot.press("x", "f", "f")
        await answer(pilot, "3*t**2")
        await answer(pilot, "1-t**2")
        assert text_of(pilot) == txt
        assert pilot.app.export_screenshot() == svg
