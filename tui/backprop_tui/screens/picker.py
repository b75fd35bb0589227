"""The list of a folder: its scenarios, recordings and scripts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from backprop_tui.app.soon import Job, soon_of
from backprop_tui.opening.listing import Entry, fitting, listed, read_entry, unread
from backprop_tui.screens.box import Choices, keys_line
from backprop_tui.view.glyphs import Glyphs
from backprop_tui.view.messages import ScenarioChosen
from backprop_tui.view.text import fit, left, printable
from backprop_tui.widgets.keys import HELP

_EMPHASIS = re.compile(r"[`*]")
_MARGINS = 7
_KEYS = (("enter", "open"), ("↑↓", "choose"), ("a…z", "filter"), ("?", "help"), ("q", "quit"))
_TYPED = (("enter", "open"), ("↑↓", "choose"), ("esc", "all of them"))
_TAKEN = "qjk?/"
"""Letters that mean something else before one types; a slash begins with any."""
_LEAST_TITLE = 24


class PickerScreen(Screen[None]):
    """One file in two lines, under the heading of its group; a broken one with what is wrong."""

    TOPIC: ClassVar = "picker"
    BINDINGS: ClassVar = [
        HELP,
        Binding("q", "app.quit", "quit", show=False),
        Binding("ctrl+p", "app.command_palette", "palette", show=False),
        Binding("slash", "filter", "filter", show=False),
        Binding("escape", "all", "all", show=False),
        Binding("up", "move(-1)", "up", show=False),
        Binding("down", "move(1)", "down", show=False),
    ]

    def __init__(
        self,
        folder: Path,
        glyphs: Glyphs,
        recent: Iterable[Path],
        may_open: Callable[[Path], bool],
    ) -> None:
        """`recent`: the files that were opened last, the latest first."""
        super().__init__()
        self._folder, self._glyphs = folder, glyphs
        self._groups = listed(folder, recent, may_open)
        paths = (path for group in self._groups for path in group.paths)
        self._entries = {path: unread(path) for path in paths}
        self._shown: list[Path] = []
        """The file of each row that can be chosen."""

    def compose(self) -> ComposeResult:
        """A line on the folder, what is typed, the list, the keys."""
        yield Static(classes="bar", id="picker-title")
        hint = "words of a title or a file"
        yield Input(id="picker-filter", placeholder=hint, compact=True, select_on_focus=False)
        if not self._entries:
            yield Static(
                Content.assemble(
                    ("There is no scenario in this folder.", "bold"),
                    "\nA scenario is a YAML file; the shortest one is the line "
                    "x=2, y=x**2+3x+1. Run backprop-tui with no arguments for the bundled ones.",
                ),
                id="nothing",
            )
        else:
            yield Choices()
        yield Static(keys_line(_KEYS), classes="bar", id="picker-keys")

    def on_mount(self) -> None:
        """Read them, one by one."""
        self.query_one(Input).display = False
        self._list()
        for choices in self.query(Choices):
            choices.focus()
        soon_of(self)("The list of scenarios", self._read, self._fill_in)

    def _read(self, job: Job) -> None:
        for path in list(self._entries):
            job.rest()
            job.tell(read_entry(path))

    def _fill_in(self, entry: Entry | None) -> None:
        if entry is not None:
            self._entries[entry.path] = entry
            for at, path in enumerate(self._shown):
                if path == entry.path:
                    for choices in self.query(Choices):  # none, where the app is ending
                        choices.replace_option_prompt(str(at), self._prompt(entry))

    def on_resize(self) -> None:
        """Cut the lines to the new width."""
        self._list()

    # Drawing

    def _list(self) -> None:
        """The entries that fit what is typed, under their headings."""
        query = self.query_one(Input).value
        options: list[Option] = []
        self._shown = []
        for name, paths in self._groups:
            entries = list(fitting((self._entries[path] for path in paths), query))
            if entries and len(self._groups) > 1:
                heading = Content.styled(self._glyphs.say(name), "bold $primary")
                options.append(Option(heading, disabled=True))
            for entry in entries:
                options.append(Option(self._prompt(entry), str(len(self._shown))))
                self._shown.append(entry.path)
        for choices in self.query(Choices):
            before = choices.highlighted
            choices.set_options(options)
            first = next((at for at, option in enumerate(options) if not option.disabled), None)
            stays = before is not None and before < len(options) and not options[before].disabled
            choices.highlighted = before if stays and not query else first
        self._title(query)

    def _title(self, query: str) -> None:
        count, found = len(self._entries), len(set(self._shown))
        noun = "file" if count == 1 else "files"
        told = f"{count} {noun} in {printable(str(self._folder))}"
        if query:
            told = f"{found} of {told}"
        self.query_one("#picker-title", Static).update(
            Content.assemble(("backprop-tui", "bold"), (f"  {told}", "$foreground-muted"))
        )

    def _prompt(self, entry: Entry) -> Content:
        """Two lines: title and file, first words; of a broken one its error, marked."""
        say, width = self._glyphs.say, max(self.app.size.width - _MARGINS, 8)
        mark, style = (self._glyphs.disagrees, "bold $error") if entry.error else (" ", "bold")
        title, file = say(entry.title), say(entry.path.name)
        room = max(width - len(file) - 2, min(_LEAST_TITLE, width))
        second = say(entry.error or _EMPHASIS.sub("", entry.summary) or entry.path.name)
        return Content.assemble(
            (f"{mark} {left(title, room)}", style),
            (f"  {fit(file, max(width - room - 2, 0))}\n", "$foreground-muted"),
            (f"  {fit(second, width)}", "$foreground-muted"),
        )

    # Keys

    def on_key(self, event: events.Key) -> None:
        """A letter begins to filter."""
        line, sign = self.query_one(Input), event.character or ""
        if not line.has_focus and event.is_printable and sign.strip() and sign not in _TAKEN:
            event.stop()
            self.action_filter()
            line.value = sign
            line.cursor_position = len(sign)

    def action_filter(self) -> None:
        """Let words be typed."""
        line = self.query_one(Input)
        line.display = bool(self._entries)
        line.focus()
        self.query_one("#picker-keys", Static).update(keys_line(_TYPED))

    def action_all(self) -> None:
        """Show all again."""
        line = self.query_one(Input)
        line.value, line.display = "", False
        self.query_one("#picker-keys", Static).update(keys_line(_KEYS))
        for choices in self.query(Choices):
            choices.focus()

    def action_move(self, by: int) -> None:
        """Choose the row above or below while words are typed."""
        for choices in self.query(Choices):
            choices.action_cursor_up() if by < 0 else choices.action_cursor_down()

    @on(Input.Changed)
    def _filter(self) -> None:
        self._list()

    @on(Input.Submitted)
    def _choose_highlighted(self) -> None:
        for choices in self.query(Choices):
            choices.action_select()

    @on(OptionList.OptionSelected)
    def _choose(self, event: OptionList.OptionSelected) -> None:
        self.post_message(ScenarioChosen(self._shown[int(event.option_id or 0)]))
