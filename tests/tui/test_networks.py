"""Networks on the screen, each at three sizes, looked at in a dark and in a light theme."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests.thorough import share
from tests.tui.conftest import LESSONS
from textual.color import Color

from backprop_engine.trace import StepKind
from backprop_tui.opening.targets import open_target
from backprop_tui.oracles.report import Starting
from backprop_tui.session.session import open_session
from backprop_tui.styles.themes import THEMES, contrast
from backprop_tui.view.glyphs import UNICODE
from backprop_tui.view.view import View
from backprop_tui.widgets.chain_rule import chain_rule_lines

SCENARIOS = Path(__file__).parents[2] / "scenarios"
NETWORKS = LESSONS / "networks"
SIZES = [(80, 24), (120, 40), (160, 50)]
PLACES = {
    "softmax and cross-entropy": (SCENARIOS / "gallery/10-softmax-cross-entropy.yaml", "f s"),
    "batch norm": (SCENARIOS / "gallery/24-batch-norm-bias.yaml", "f n n s"),
    "two layers": (NETWORKS / "mlp.yaml", "f n n n"),
    "one attention head": (NETWORKS / "head.yaml", "f n n n n"),
    "five steps of a recurrent net": (NETWORKS / "rnn.yaml", "f n n n n n n n"),
    "a fully masked row": (NETWORKS / "masked.yaml", "f n n n"),
    "a mask of three beside one": (NETWORKS / "mask.yaml", "f n n s"),
    "what if": (
        SCENARIOS / "gallery/10-softmax-cross-entropy.yaml",
        "f s g z enter e z [ 0 ] = 3 enter",
    ),
}
KEYS = {"[": "left_square_bracket", "]": "right_square_bracket", "=": "equals_sign"}


ORNAMENTS = ("border-blurred", "scrollbar", "scrollbar-background")
"""Colours of what nobody reads: frames, and bars that tell how far a pane is scrolled."""
LINES = set("─│├└┄━╸╺▁▂▃▄▅▆▇█▀▔╭╮╰╯┌┐┘")
"""Of trees, fractions, the timeline and pictures."""


def too_faint(pilot) -> set[tuple[str, str, str]]:
    """What has not a contrast of 4.5 as text, of 3 as a line, with its two colours."""
    variables = pilot.app.get_css_variables()
    ornaments = {Color.parse(variables[name]).rgb for name in ORNAMENTS}
    found = set()
    for strip in pilot.app.screen._compositor.render_strips():
        for text, style, _ in strip:
            if style is None or style.color is None or not text.strip():
                continue
            ink, paper = (Color.from_rich_color(each) for each in (style.color, style.bgcolor))
            if style.reverse:
                ink, paper = paper, ink
            least = 3 if set(text) <= LINES | {" "} else 4.5
            if ink.rgb not in ornaments and contrast(ink, paper) < least:
                found.add((text.strip(), ink.hex, paper.hex))
    return found


@pytest.mark.parametrize("name", PLACES)
async def test_it_holds_at_three_sizes(opened, text_of, svg, txt, monkeypatch, name):
    file, keys = PLACES[name]
    monkeypatch.chdir(file.parent)  # the name on the screen is without this machine's folders
    async with opened(file.name) as pilot:
        await pilot.press(*(KEYS.get(key, key) for key in keys.split()))
        for at, (width, height) in enumerate(SIZES):
            await pilot.resize_terminal(width, height)
            is_dark = (at + len(name)) % 2 == 0
            for theme in sorted(["blackboard", "whiteboard"], reverse=is_dark):
                pilot.app.theme = theme
                await pilot.pause()
                assert text_of(pilot) == txt(name=f"{width}")
                assert not too_faint(pilot)
            assert pilot.app.export_screenshot() == svg(name=f"{width}")


@pytest.mark.parametrize("size", [(76, 10), (50, 22), (63, 30)], ids=["80", "120", "160"])
def test_lesson_10_at_each_step_between_arrays(txt, size):
    trace = open_target(SCENARIOS / "lesson-10-network.yaml")
    session, told = open_session(trace), []
    for cursor in range(len(session.trace)):
        if session.trace.step(cursor).kind is StepKind.CONTRIBUTION:
            view = View(replace(session, cursor=cursor), Starting(), None, UNICODE)
            told += [line.plain for line in chain_rule_lines(view, *size)] + ["-" * size[0]]
    assert "\n".join(told) == txt


ASKED = {
    "the end": ("gallery/10-softmax-cross-entropy.yaml", "f f f"),
    "an end that is spoilt": ("masked.yaml", "f f f"),
    "autopsy": ("masked.yaml", "a"),
    "inspector": ("gallery/10-softmax-cross-entropy.yaml", "f v"),
    "help": ("gallery/10-softmax-cross-entropy.yaml", "question_mark"),
    "origin": ("gallery/10-softmax-cross-entropy.yaml", "f f f o"),
}
OURS = ("blackboard", "whiteboard", "textual-light", "textual-dark")
INKED = tuple(theme for theme in THEMES if not theme.startswith("ansi"))
"""A terminal's own colours are what its owner makes them."""


@pytest.mark.parametrize("name", ASKED)
async def test_what_is_asked_for_can_be_read_in_every_theme(opened, name):
    file, keys = ASKED[name]
    async with opened((NETWORKS if "/" not in file else SCENARIOS) / file, (120, 40)) as pilot:
        await pilot.press(*keys.split())
        for theme in share(OURS, INKED):
            pilot.app.theme = theme
            await pilot.pause()
            assert not too_faint(pilot), theme


async def test_torch_s_pane_has_numbers_where_they_fit_behind_a_name(opened, text_of):
    async with opened(SCENARIOS / "gallery/10-softmax-cross-entropy.yaml", (120, 40)) as pilot:
        await pilot.press("f", "f", "f")
        assert "z.grad   = [−0.34, 0.24, 0.099]     0 ulp ✓" in text_of(pilot)
