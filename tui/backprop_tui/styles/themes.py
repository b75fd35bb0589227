"""Two themes of our own, and what Textual's lack; the style sheet says what each colour means."""

from __future__ import annotations

from dataclasses import replace

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
