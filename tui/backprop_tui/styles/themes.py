"""Two themes of our own, and what Textual's lack; the style sheet says what each colour means."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from operator import mul
from typing import Any

from textual.app import App, SystemCommand
from textual.color import Color
from textual.screen import Screen
from textual.theme import BUILTIN_THEMES, Theme

BLACKBOARD = Theme(
    name="blackboard",
    primary="#6cb6ff",
    secondary="#c4a7f5",
    accent="#6cb6ff",
    warning="#f5b95f",
    success="#7fd18b",
    error="#ff7b72",
    foreground="#dbe2ea",
    background="#0f1318",
    surface="#181e25",
    panel="#1d252e",
    dark=True,
    variables={
        "primary-muted": "#17324d",
        "foreground-muted": "#8b97a5",
        "foreground-disabled": "#6e7b8a",
        "border": "#6cb6ff",
        "border-blurred": "#36404c",
        "scrollbar": "#36404c",
        "scrollbar-hover": "#4d5866",
        "scrollbar-active": "#6cb6ff",
        "scrollbar-background": "#0f1318",
        "scrollbar-background-hover": "#0f1318",
        "scrollbar-background-active": "#0f1318",
    },
)

WHITEBOARD = Theme(
    name="whiteboard",
    primary="#0b57b0",
    secondary="#6a3fb5",
    accent="#0b57b0",
    warning="#9a5200",
    success="#14732f",
    error="#b91c1c",
    foreground="#1b2027",
    background="#fcfcfa",
    surface="#f1f2ee",
    panel="#e6e8e3",
    dark=False,
    variables={
        "primary-muted": "#cfe3fb",
        "foreground-muted": "#5d6672",
        "foreground-disabled": "#757e88",
        "border": "#0b57b0",
        "border-blurred": "#c5cad0",
        "scrollbar": "#c5cad0",
        "scrollbar-hover": "#a9b0b8",
        "scrollbar-active": "#0b57b0",
        "scrollbar-background": "#fcfcfa",
        "scrollbar-background-hover": "#fcfcfa",
        "scrollbar-background-active": "#fcfcfa",
    },
)


def _completed(name: str, shade: str) -> Theme:
    """A theme of the terminal's own colours, which cannot be mixed; `shade` lies under text."""
    theme = BUILTIN_THEMES[name]
    added = {"foreground-disabled": "ansi_default", "primary-muted": shade}
    return replace(theme, variables=theme.variables | added)


ADDED_THEMES = (
    BLACKBOARD,
    WHITEBOARD,
    _completed("ansi-dark", "ansi_bright_black"),
    _completed("ansi-light", "ansi_white"),
)
DEFAULT_THEME = BLACKBOARD.name
THEMES = (BLACKBOARD.name, WHITEBOARD.name, *BUILTIN_THEMES)
_OWN = tuple(theme.name for theme in ADDED_THEMES)
_PAPERS = ("background", "surface", "panel", "primary-muted")
"""On which text stands."""
_INKS = ("primary", "secondary", "accent", "warning", "success", "error", "foreground")
_STEPS = 20


class Themed(App[None]):
    """Has our themes, and Textual's in colours that can be read."""

    def __init__(self) -> None:
        super().__init__()
        for theme in ADDED_THEMES:
            self.register_theme(theme)

    def get_theme(self, theme_name: str) -> Theme | None:
        """The theme of this name, if there is one."""
        theme = super().get_theme(theme_name)
        is_textual_s = theme_name in BUILTIN_THEMES and theme_name not in _OWN
        return readable(theme_name) if is_textual_s else theme

    def refresh_css(self, animate: bool = True) -> None:
        """Read the styles anew. Textual asks for it before anything has been styled, too."""
        if any(screen.is_mounted for screen in self.screen_stack):
            super().refresh_css(animate)

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """What of Textual's own commands belongs in the palette."""
        del screen
        yield SystemCommand(
            "theme", "Choose light, dark or another theme.", self.action_change_theme
        )


@cache
def readable(name: str) -> Theme:
    """One of Textual's themes, its inks as much lighter or darker as it takes to read them."""
    theme = BUILTIN_THEMES[name]
    colours = theme.to_color_system().generate()
    papers = [Color.parse(colours[each]) for each in _PAPERS]
    pole = Color.parse("white" if theme.dark else "black")

    def inked(ink: str, least: float = 4.5) -> str:
        color = papers[0] + Color.parse(colours[ink])
        shades = (color.blend(pole, step / _STEPS) for step in range(_STEPS))
        seen = (each for each in shades if min(contrast(each, on) for on in papers) >= least)
        return next(seen, pole).hex

    variables = {
        "primary-muted": colours["primary-muted"],
        "foreground-muted": inked("foreground-muted"),
        "foreground-disabled": inked("foreground-disabled", 3),
        "border": inked("primary"),  # in which the titles of sheets stand
    }
    fields: dict[str, Any] = {ink: inked(ink) for ink in _INKS}
    fields |= {paper: colours[paper] for paper in _PAPERS[:3]}  # else mixed of the inks
    return replace(theme, **fields, variables=theme.variables | variables)


def contrast(one: Color, other: Color) -> float:
    """The ratio of luminances that WCAG 2 defines: 1 for one colour, 21 for black and white."""
    dark, light = sorted(map(_luminance, (one, other)))
    return (light + 0.05) / (dark + 0.05)


def _luminance(color: Color) -> float:
    parts = [
        part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4
        for part in color.normalized
    ]
    return float(sum(map(mul, (0.2126, 0.7152, 0.0722), parts)))
