"""The list of a folder's scenarios."""

from __future__ import annotations

import re
from concurrent.futures import Future, wait
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.content import Content
from textual.message import Message
from textual.screen import Screen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from backprop_tui.opening.soon import PATIENCE, begin_all
from backprop_tui.opening.targets import Entry, read_entry, scenario_files, unread
from backprop_tui.screens.box import keys_line
from backprop_tui.view.glyphs import Glyphs
from backprop_tui.view.messages import ScenarioChosen
from backprop_tui.view.text import fit, printable
from backprop_tui.widgets.choices import Choices
from backprop_tui.widgets.keys import HELP

_EMPHASIS = re.compile(r"[`*]")
_MARGINS = 7
_KEYS = (("enter", "open"), ("↑↓", "choose"), ("?", "help"), ("q", "quit"))


class PickerScreen(Screen[None]):
    """One scenario a row, with its first words; a broken one with what is wrong."""

    TOPIC: ClassVar = "picker"
    BINDINGS: ClassVar = [
        HELP,
        Binding("q", "app.quit", "quit", show=False),
        Binding("ctrl+p", "app.command_palette", "palette", show=False),
    ]

    @dataclass
    class Read(Message):
        """A thread has read one of the scenarios."""

        index: int
        reading: Future[Entry]

    def __init__(self, folder: Path, glyphs: Glyphs) -> None:
        super().__init__()
        self._folder = folder
        self._glyphs = glyphs
        files = scenario_files(folder)
        readings = begin_all([partial(read_entry, path) for path in files])
        done, _ = wait(readings, PATIENCE)
        self._pending = {at: reading for at, reading in enumerate(readings) if reading not in done}
        self._entries = [
            unread(files[at]) if at in self._pending else reading.result()
            for at, reading in enumerate(readings)
        ]

    def compose(self) -> ComposeResult:
        """A line on the folder, the list, the keys."""
        count = len(self._entries)
        noun = "scenario" if count == 1 else "scenarios"
        folder = printable(str(self._folder))
        yield Static(
            Content.assemble(
                ("backprop-tui", "bold"), (f"  {count} {noun} in {folder}", "$foreground-muted")
            ),
            classes="bar",
        )
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
            width = self.app.size.width - _MARGINS
            yield Choices(*(Option(self._prompt(entry, width)) for entry in self._entries))
        yield Static(keys_line(_KEYS), classes="bar")

    def on_mount(self) -> None:
        """Fill in what is not read yet, one by one."""
        for index, reading in self._pending.items():
            reading.add_done_callback(partial(self._tell, index))

    def _tell(self, index: int, reading: Future[Entry]) -> None:
        self.post_message(self.Read(index, reading))

    @on(Read)
    def _fill_in(self, event: Read) -> None:
        self._entries[event.index] = event.reading.result()
        width = self.app.size.width - _MARGINS
        prompt = self._prompt(self._entries[event.index], width)
        self.query_one(OptionList).replace_option_prompt_at_index(event.index, prompt)

    def on_resize(self, event: events.Resize) -> None:
        """Cut the second lines to the new width."""
        for choices in self.query(OptionList):
            for index, entry in enumerate(self._entries):
                prompt = self._prompt(entry, event.size.width - _MARGINS)
                choices.replace_option_prompt_at_index(index, prompt)

    def _prompt(self, entry: Entry, width: int) -> Content:
        """Two lines: title and first words; or name and error, marked."""
        say = self._glyphs.say
        title = fit(say(entry.title), width)
        second = say(entry.error or _EMPHASIS.sub("", entry.summary) or entry.path.name)
        mark, style = (self._glyphs.disagrees, "bold $error") if entry.error else (" ", "bold")
        return Content.assemble(
            (f"{mark} {title}\n", style), (f"  {fit(second, width)}", "$foreground-muted")
        )

    @on(OptionList.OptionSelected)
    def _choose(self, event: OptionList.OptionSelected) -> None:
        self.post_message(ScenarioChosen(self._entries[event.option_index].path))
