"""Every theme that Textual has, on every screen; and themes that are not there."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.thorough import share
from textual.color import Color
from textual.css.stylesheet import Stylesheet
from textual.filter import NoColor

from backprop_engine.basics.source import Source
from backprop_tui.app.app import DebuggerApp
from backprop_tui.config.settings import Settings, parse_settings, with_environment
from backprop_tui.memory.keeper import Keeper
from backprop_tui.styles.themes import BLACKBOARD, THEMES, WHITEBOARD, contrast
from backprop_tui.view.glyphs import UNICODE

LESSONS = Path(__file__).parent / "lessons"
BROKEN = Source("<-e>", "x=[[0,2],[3,4]], w=[1,2], y=(log(x)*0 @ w).sum()")
EVERY_SCREEN = (
    "s", "b", "w", "x", "enter", "ctrl+o", "escape", "g", "escape", "slash", "x", "enter", "m", "a",
    "apostrophe", "escape", "B", "escape", "L", "escape", "e", "escape", "plus", "v", "escape",
    "tab", "tab", "tab", "tab", "tab", "z", "z", "i", "o", "escape", "I", "a", "escape", "end",
    "enter", "tab", "right", "escape", "question_mark", "escape", "ctrl+p", "down", "escape",
)  # fmt: skip


SORTS = ("nord", "ansi-light", "whiteboard", "ansi-dark")
"""Textual's own, the terminal's own, and ours; light and dark."""


def app_with(theme, target, oracle, **options):
    settings = Settings(theme=theme)
    return DebuggerApp(target, oracle=oracle, glyphs=UNICODE, settings=settings, **options)


@pytest.mark.usefixtures("every_frame")
@pytest.mark.parametrize("theme", share(SORTS[:2], SORTS))
async def test_a_theme_of_each_sort_opens_every_screen(theme, agreeing, formulas):
    app = app_with(theme, BROKEN, agreeing, symbolic=formulas)
    async with app.run_test(size=(130, 45)) as pilot:
        await pilot.pause()
        await pilot.press(*EVERY_SCREEN)
        assert app.theme == theme
        assert not app.return_code


@pytest.mark.parametrize("theme", [BLACKBOARD, WHITEBOARD], ids=lambda theme: theme.name)
def test_the_lines_of_the_tree_are_seen_on_whatever_row_they_stand(theme):
    lines = Color.parse(theme.variables["foreground-disabled"])
    for under in (theme.background, theme.panel, theme.variables["primary-muted"]):
        assert contrast(lines, Color.parse(under)) >= 3


@pytest.mark.parametrize("theme", THEMES)
def test_every_theme_has_all_that_the_style_sheets_ask_for(theme):
    app = DebuggerApp(BROKEN, settings=Settings(theme=theme))
    sheet = Stylesheet(variables=app.get_css_variables())
    sheet.read_all(app.css_path)
    sheet.parse()
    assert sheet.rules


@pytest.mark.parametrize("theme", ["ansi-dark", "ansi-light"])
@pytest.mark.parametrize("target", [LESSONS / "folder", LESSONS / "bad.yaml"])
async def test_a_theme_of_the_terminal_s_own_colours_shows_lists_and_mistakes(
    theme, target, agreeing
):
    app = app_with(theme, target, agreeing)
    async with app.run_test() as pilot:
        await pilot.pause()
        await pilot.press("down")
        assert not app.return_code


async def test_in_every_theme_the_row_of_the_step_can_be_told_from_what_lies_on_it(opened):
    async with opened(size=(130, 45)) as pilot:
        await pilot.press("s")
        graph = pilot.app.screen.query_one("#graph")
        for theme in THEMES:
            pilot.app.theme = theme
            await pilot.pause()
            names = ("sending", "receiver", "complete", "quiet", "label")
            for segment in graph._strip([(name, name) for name in names], "step row"):
                assert segment.style.color != segment.style.bgcolor, (theme, segment)
        assert not pilot.app.return_code


def test_a_theme_of_the_environment_goes_before_the_file_s():
    settings = parse_settings('theme = "nord"', "c")
    assert with_environment(settings, {}) == settings
    assert with_environment(settings, {"TEXTUAL_THEME": ""}) == settings
    asked = with_environment(settings, {"TEXTUAL_THEME": "dracula"})
    assert (asked.theme, asked.is_theme_asked, asked.mistakes) == ("dracula", True, ())


def test_one_that_is_not_there_is_told_and_the_file_s_or_the_default_is_used():
    told = "TEXTUAL_THEME: there is no theme `norf`; did you mean `nord`?"
    asked = with_environment(Settings(), {"TEXTUAL_THEME": "norf"})
    assert (asked.theme, asked.is_theme_asked, asked.notice) == ("blackboard", False, told)
    asked = with_environment(parse_settings('theme = "dracula"', "c"), {"TEXTUAL_THEME": "norf"})
    assert (asked.theme, asked.mistakes) == ("dracula", (told,))


@pytest.mark.parametrize("is_asked", [False, True])
async def test_what_was_chosen_the_last_time_gives_way_to_the_environment(
    is_asked, agreeing, tmp_path
):
    basic = LESSONS / "basic.yaml"

    def app(settings):
        keeper = Keeper(tmp_path, settings.theme)
        return DebuggerApp(basic, oracle=agreeing, settings=settings, keeper=keeper)

    first = app(Settings())
    async with first.run_test() as pilot:
        await pilot.pause()
        first.theme = "gruvbox"
        await pilot.press("b")
        first.opening.keep()
    then = app(Settings(theme="nord", is_theme_asked=is_asked))
    async with then.run_test() as pilot:
        await pilot.pause()
        assert then.theme == ("nord" if is_asked else "gruvbox")


async def test_no_color_leaves_the_terminal_its_own_colours(agreeing, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    app = app_with("blackboard", LESSONS / "folder", agreeing)
    async with app.run_test() as pilot:
        await pilot.pause()
        assert any(isinstance(one, NoColor) for one in app.get_line_filters())
        drawn = [one for line in app.screen._compositor.render_strips() for one in line]
        for filter_ in app.get_line_filters():
            drawn = filter_.apply(drawn, Color(0, 0, 0))
        styles = [one.style for one in drawn if one.style is not None]
        assert {style.color.name for style in styles if style.color} <= {"default"}
        assert any(style.underline for style in styles)  # where one is in the list
