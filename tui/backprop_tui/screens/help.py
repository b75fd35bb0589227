"""The help screen: how to read the screen, the keys, the marks and the words; all searchable."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from itertools import chain, groupby
from typing import ClassVar, NamedTuple

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from backprop_engine.reading.conditions import HELP as CONDITION_HELP
from backprop_engine.reading.watches import HELP as WATCH_HELP
from backprop_tui.commands.command import Command, key_name
from backprop_tui.commands.keymap import DEFAULT_KEYMAP, Keymap
from backprop_tui.commands.pane_help import GLOSSARY, PANE_HELP, SCREEN_HELP, SIGNS, PaneHelp
from backprop_tui.commands.table import COMMANDS
from backprop_tui.screens.box import titled
from backprop_tui.session.search.searching import HELP as SEARCH_HELP
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
_SIGN_WIDTH, _WORD_WIDTH = 12, 18
_WIDEST, _FRAME = 80, 8


class HelpScreen(ModalScreen[None]):
    """Everything one can press, made from the table of commands; and the words and marks."""

    BINDINGS: ClassVar = [
        Binding("q,question_mark,f1,enter", "dismiss", "close", show=False),
        Binding("escape", "leave", "close", show=False),
        Binding("slash", "search", "search", show=False),
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
        """One text that scrolls, and a line to search it by."""
        with titled(Scroll(id="help"), "Help", "/ searches · esc closes"):
            yield Static()
        yield Input(id="help-search", placeholder="a word, a key, a mark", compact=True)

    def on_mount(self) -> None:
        """The line is there when it is asked for."""
        self.query_one(Input).display = False
        self.query_one("#help").focus()

    def on_resize(self) -> None:
        """Break the lines for the new width."""
        self._draw()

    @on(Input.Changed)
    def _draw(self) -> None:
        width = max(min(self.app.size.width - _FRAME, _WIDEST), 20)
        query = self.query_one(Input).value
        sections = help_sections(self._glyphs, width, self._pane, self._commands, self._session)
        self.query_one(Static).update(joined(found_in(sections, query), query))
        self.query_one("#help").scroll_home(animate=False)

    def action_search(self) -> None:
        """Ask what is looked for."""
        line = self.query_one(Input)
        line.display = True
        line.focus()

    @on(Input.Submitted)
    def _read_on(self) -> None:
        self.query_one("#help").focus()

    def action_leave(self) -> None:
        """From what was found back to everything, from there out."""
        line = self.query_one(Input)
        if not line.display:
            self.dismiss()
            return
        line.value, line.display = "", False
        self.query_one("#help").focus()


Entry = list[Content]
"""What is told of one key, mark or word, in lines."""


class Section(NamedTuple):
    """What stands under one title."""

    title: str
    entries: list[Entry]


def help_text(
    glyphs: Glyphs,
    width: int,
    pane: PaneHelp | None = None,
    commands: tuple[Command, ...] = COMMANDS,
    session: Session | None = None,
) -> Content:
    """The whole help in lines of at most `width` cells, what is said of `pane` first."""
    return joined(help_sections(glyphs, width, pane, commands, session))


def joined(sections: Iterable[Section], query: str = "") -> Content:
    """Sections under their titles, with blank lines between."""
    lines: list[Content] = []
    for title, entries in sections:
        lines += [Content(), Content.styled(title, _TITLE), *chain.from_iterable(entries)]
    nothing = Content(f"Nothing here has “{query}” in it.")
    return Content("\n").join(lines[1:] or [nothing])


def found_in(sections: Iterable[Section], query: str) -> Iterator[Section]:
    """What has every word of `query` in it, title and entry taken together."""
    words = query.casefold().split()
    for title, entries in sections:
        texts = (" ".join([title, *(line.plain for line in entry)]) for entry in entries)
        plain = [" ".join(text.split()).casefold() for text in texts]
        pairs = zip(entries, plain, strict=True)
        fitting = [entry for entry, text in pairs if all(word in text for word in words)]
        if fitting:
            yield Section(title, fitting)


def help_sections(
    glyphs: Glyphs,
    width: int,
    pane: PaneHelp | None,
    commands: tuple[Command, ...],
    session: Session | None,
) -> Iterator[Section]:
    """All of it."""

    def entries(members: Iterable[Command]) -> list[Entry]:
        found = []
        for command in members:
            entry = _command_entry(command, width)
            missing = None if session is None else command.missing(session)
            if missing is not None:
                said = glyphs.say(f"Not here: {missing.sentence}.")
                entry += _entry("", said, "", width, "$warning")
            found.append(entry)
        return found

    told = [] if pane is None else [c for c in commands if c.place and c.place == pane.commands]
    if pane is not None:
        keys = [_entry(key, meaning, "bold $primary", width) for key, meaning in pane.keys]
        shows = wrapped(glyphs.text(pane.shows), width)
        yield Section(pane.title, [shows, *entries(told), *keys])
    yield Section("How to read the screen", [wrapped(glyphs.text(_READING), width)])
    others = [command for command in commands if command not in told]
    for group, members in groupby(others, key=lambda command: command.group):
        yield Section(group, entries(members))
    marks = [(getattr(glyphs, name), meaning) for name, meaning in LEGEND]
    marks += [(sign, glyphs.text(meaning)) for sign, meaning in SIGNS.items()]
    yield Section("Marks", [_entry(sign, meaning, "bold", width) for sign, meaning in marks])
    for title, text in (
        ("What a search looks at", SEARCH_HELP),
        ("What a condition says", CONDITION_HELP),
        ("What a watch shows", WATCH_HELP),
    ):
        if pane is None or pane.shows != text:
            yield Section(title, [wrapped(glyphs.text(text), width)])
    yield Section("Words", [_entry(word, glyphs.text(meaning), "bold", width, apart=_WORD_WIDTH)
                            for word, meaning in GLOSSARY.items()])  # fmt: skip


def _command_entry(command: Command, width: int) -> Entry:
    keys = " ".join(key_name(key) for key in command.keys or ("ctrl+p",))
    told = command.help if command.keys else f"{command.title}: {command.help}"
    return _entry(keys, told, "bold $primary", width)


def _entry(
    sign: str, meaning: str, style: str, width: int, shade: str = "", apart: int = _SIGN_WIDTH
) -> Entry:
    """A key, a mark or a word and what it means, level under each other."""
    first, *rest = textwrap.wrap(meaning, max(width - apart, 10))
    head = Content.assemble((sign.ljust(apart), style), (first, shade))
    return [head, *(Content.styled(" " * apart + line, shade) for line in rest)]
