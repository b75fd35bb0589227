"""The help screen: how to read the screen, the keys, and the marks."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from itertools import groupby
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from backprop_engine.reading.conditions import HELP as CONDITION_HELP
from backprop_engine.reading.watches import HELP as WATCH_HELP
from backprop_tui.commands.command import Command, key_name
from backprop_tui.commands.keymap import DEFAULT_KEYMAP, Keymap
from backprop_tui.commands.pane_help import PANE_HELP, PaneHelp
from backprop_tui.commands.screen_help import SCREEN_HELP
from backprop_tui.commands.table import COMMANDS
from backprop_tui.screens.box import titled
from backprop_tui.session.search.query import HELP as SEARCH_HELP
from backprop_tui.session.session import Session
from backprop_tui.view.glyphs import LEGEND, Glyphs
from backprop_tui.view.text import wrapped
from backprop_tui.widgets.pane import Scroll

_READING = """\
The graph hangs from the output down to the inputs. Values are computed upwards, gradients
travel down. The highlighted row is the node at work in the step about to run; 3 → 7 is what
the step makes of a gradient. Chain rule tells why, Torch whether PyTorch agrees, Symbolic what
the derivative is as a formula, and Source which piece of the scenario it is."""
_TITLE = "bold $primary"
_SIGN_WIDTH = 12
_WIDEST, _FRAME = 80, 8


class HelpScreen(ModalScreen[None]):
    """Everything one can press, made from the table of commands."""

    BINDINGS: ClassVar = [
        Binding("escape,q,question_mark,f1,enter", "dismiss", "close", show=False),
    ]

    def __init__(
        self,
        glyphs: Glyphs,
        pane: str = "",
        keymap: Keymap = DEFAULT_KEYMAP,
        session: Session | None = None,
    ) -> None:
        """`pane`: the id of what had the focus, or a screen's topic; that is explained first.

        What can not be done in `session` is told with the reason.
        """
        super().__init__()
        self._session = session
        self._glyphs = glyphs
        self._pane = PANE_HELP.get(pane) or SCREEN_HELP.get(pane)
        self._commands = keymap.commands

    def compose(self) -> ComposeResult:
        """One text that scrolls."""
        with titled(Scroll(id="help"), "Help", "esc closes"):
            yield Static()

    def on_resize(self, event: events.Resize) -> None:
        """Break the lines for the new width."""
        width = min(event.size.width - _FRAME, _WIDEST)
        self.query_one(Static).update(
            help_text(self._glyphs, max(width, 20), self._pane, self._commands, self._session)
        )


def help_text(
    glyphs: Glyphs,
    width: int,
    pane: PaneHelp | None = None,
    commands: tuple[Command, ...] = COMMANDS,
    session: Session | None = None,
) -> Content:
    """The whole help in lines of at most `width` cells, what is said of `pane` first."""

    def entries(members: Iterable[Command]) -> list[Content]:
        found = []
        for command in members:
            found += _command_entry(command, width)
            missing = None if session is None else command.missing(session)
            if missing is not None:
                said = glyphs.say(f"Not here: {missing.sentence}.")
                found += _entry("", said, "", width, "$warning")
        return found

    told = [] if pane is None else heard_in(pane, commands)
    lines: list[Content] = []
    if pane is not None:
        lines += [Content.styled(pane.title, _TITLE), *wrapped(glyphs.text(pane.shows), width)]
        lines += entries(told)
        for keys, meaning in pane.keys:
            lines += _entry(keys, meaning, "bold $primary", width)
        lines += [Content()]
    lines += [Content.styled("How to read the screen", _TITLE)]
    lines += wrapped(glyphs.text(_READING), width)
    others = [command for command in commands if command not in told]
    for group, members in groupby(others, key=lambda command: command.group):
        lines += [Content(), Content.styled(group, _TITLE), *entries(members)]
    lines += [Content(), Content.styled("Marks", _TITLE)]
    for name, meaning in LEGEND:
        lines += _entry(getattr(glyphs, name), meaning, "bold", width)
    for title, text in (
        ("What a search looks at", SEARCH_HELP),
        ("What a condition says", CONDITION_HELP),
        ("What a watch shows", WATCH_HELP),
    ):
        if pane is not None and pane.shows == text:
            continue
        lines += [Content(), Content.styled(title, _TITLE)]
        lines += wrapped(glyphs.text(text), width)
    return Content("\n").join(lines)


def heard_in(pane: PaneHelp, commands: tuple[Command, ...]) -> list[Command]:
    """The commands whose keys are heard in `pane` alone."""
    return [command for command in commands if command.place and command.place == pane.commands]


def _command_entry(command: Command, width: int) -> list[Content]:
    keys = " ".join(key_name(key) for key in command.keys or ("ctrl+p",))
    told = command.help if command.keys else f"{command.title}: {command.help}"
    return _entry(keys, told, "bold $primary", width)


def _entry(sign: str, meaning: str, style: str, width: int, shade: str = "") -> list[Content]:
    """A key or a mark and what it does, level under each other."""
    first, *rest = textwrap.wrap(meaning, max(width - _SIGN_WIDTH, 10))
    head = Content.assemble((sign.ljust(_SIGN_WIDTH), style), (first, shade))
    return [head, *(Content.styled(" " * _SIGN_WIDTH + line, shade) for line in rest)]
