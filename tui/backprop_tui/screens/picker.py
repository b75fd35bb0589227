"""The list of a folder's scenarios."""

from __future__ import annotations

import re
from pathlib import Path
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.content import Content
from textual.screen import Screen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from backprop_tui.app.soon import Job, soon_of
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

    def __init__(self, folder: Path, glyphs: Glyphs) -> None:
        super().__init__()
        self._folder = folder
        self._glyphs = glyphs
        self._entries = [unread(path) for path in scenario_files(folder)]

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
        """Read them, one by one."""
        soon_of(self)("The list of scenarios", self._read, self._fill_in)

    def _read(self, job: Job) -> None:
        for index, entry in enumerate(self._entries):
            job.rest()
            job.tell((index, read_entry(entry.path)))

    def _fill_in(self, found: tuple[int, Entry] | None) -> None:
        if found is not None:
            index, self._entries[index] = found
            prompt = self._prompt(self._entries[index], self.app.size.width - _MARGINS)
            self.query_one(OptionList).replace_option_prompt_at_index(index, prompt)

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
