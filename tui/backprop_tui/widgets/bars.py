"""The one-line bars: title, tabs and keys."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

from rich.cells import cell_len
from textual import events
from textual.content import Content
from textual.message import Message

from backprop_tui.commands.table import BY_NAME, COMMANDS, Command, key_name
from backprop_tui.session.moving.playing import is_playing
from backprop_tui.session.stepping_in import breadcrumb, stack
from backprop_tui.view.offers import offers
from backprop_tui.view.text import fit, printable
from backprop_tui.view.view import View
from backprop_tui.widgets.notice_box import notice_text
from backprop_tui.widgets.sparing import Sparing
from backprop_tui.widgets.torch_pane import torch_status

PANES: tuple[tuple[str, str], ...] = (
    ("chain", "Chain rule"),
    ("torch", "Torch"),
    ("symbolic", "Symbolic"),
    ("source", "Source"),
    ("notes", "Notes"),
    ("watches", "Watches"),
)
"""The panes under the graph: id and name."""
_LETTERS = 4
"""Of a name, where there is hardly any room."""


class TitleBar(Sparing):
    """What is open: title on the left; file, dtype and torch on the right."""

    def __init__(self, view: View) -> None:
        super().__init__(id="title")
        self.view = view

    def show(self, view: View) -> None:
        """Draw `view`."""
        self.view = view
        self.refresh_changes()

    def render(self) -> Content:
        """Title and facts, as many as there is room for."""
        trace, width = stack(self.view.session)[-1].trace, self.size.width
        name = printable(trace.heading.name)
        title = printable(trace.heading.title)
        crumbs = breadcrumb(self.view.session)
        facts = [name, trace.dtype, torch_status(self.view)]
        dot = self.view.glyphs.text(" · ")
        # The whole path, else the file's name, else what is left of the facts.
        choices = [facts, [name.rpartition("/")[2], *facts[1:]], facts[1:], facts[2:]]
        if not title:
            title, choices = name, choices[2:]
        if crumbs:
            title = self._path((title, *crumbs, "inside"))
        if self.view.session.whatif.values:
            title += f"{dot}what if"
        texts = [dot.join(choice) for choice in choices]
        fitting = [text for text in texts if cell_len(title) + cell_len(text) + 2 <= width]
        right = (fitting or texts[-1:])[0]
        title = fit(title, max(width - cell_len(right) - 2, 1))
        gap = " " * max(width - cell_len(title) - cell_len(right), 0)
        return Content.assemble((title, "bold"), gap, (right, "$foreground-muted"))

    def _path(self, crumbs: tuple[str, ...]) -> str:
        """Where one is, as far as half the width allows; what is innermost always."""
        texts = [self.view.say(one) for one in crumbs]
        mark = " > " if self.view.glyphs.is_ascii else " ▸ "
        while len(texts) > 2 and cell_len(mark.join(texts)) > self.size.width * 2 // 3:
            texts.pop(0)
        return mark.join(texts)


class TroubleBar(Sparing):
    """What is wrong with the file that was saved; no line of the screen where nothing is."""

    def __init__(self, view: View) -> None:
        super().__init__(id="trouble")
        self._view = view

    def on_mount(self) -> None:
        """Take no place while there is nothing to say."""
        self.display = bool(self._view.trouble)

    def show(self, view: View) -> None:
        """Draw `view`."""
        self._view = view
        self.display = bool(view.trouble)
        self.refresh_changes()

    def render(self) -> Content:
        """One line, and the key that shows all of it."""
        view = self._view
        keys = view.keymap.keys(BY_NAME["read_again"])
        hint = f"  {key_name(keys[0])} shows it" if keys else ""
        room = self.size.width - len(hint) - 2
        said = fit(view.say(view.trouble), max(room, 1))
        return Content.assemble(
            (f"{view.glyphs.disagrees} ", "bold $error"), (said, "bold"), (hint, "bold $primary")
        )

    def on_click(self) -> None:
        """Show all of it."""
        self.post_message(KeyBar.Chosen("read_again"))


class PaneTabs(Sparing):
    """The names of the panes, of which a narrow screen shows one at a time."""

    @dataclass
    class Chosen(Message):
        """A tab was clicked."""

        pane: str

    def __init__(self) -> None:
        super().__init__(id="tabs")
        self.active = PANES[0][0]

    def show(self, active: str) -> None:
        """Mark `active` as the one that is shown."""
        self.active = active
        self.refresh_changes()

    def _labels(self) -> list[tuple[str, str]]:
        """Pane and text of each tab; where room is short, without blanks and further words.

        Where even that is too long, only the pane that is shown has its word in full.
        """
        full = [(pane, f"[{name}]" if pane == self.active else f" {name} ") for pane, name in PANES]
        if sum(len(text) + 1 for _, text in full) - 1 <= self.size.width:
            return full
        words = [(pane, name.partition(" ")[0]) for pane, name in PANES]
        if sum(len(word) + 1 for _, word in words) + 1 > self.size.width:
            words = [(pane, w if pane == self.active else w[:_LETTERS]) for pane, w in words]
        return [(pane, f"[{word}]" if pane == self.active else word) for pane, word in words]

    def render(self) -> Content:
        """The names; the one shown in brackets, for eyes that see no colour."""
        return Content(" ").join(
            Content.styled(text, "bold $primary" if pane == self.active else "$foreground-muted")
            for pane, text in self._labels()
        )

    def column(self, pane: str) -> int:
        """Where the name of `pane` starts, behind a blank or a bracket."""
        labels = self._labels()
        at = [one for one, _ in labels].index(pane)
        text = labels[at][1]
        return sum(len(text) + 1 for _, text in labels[:at]) + len(text) - len(text.lstrip(" ["))

    def on_click(self, event: events.Click) -> None:
        """Tell which name was clicked."""
        place = event.get_content_offset(self)
        if place is None:
            return
        at = 0
        for pane, text in self._labels():
            if at <= place.x < at + len(text):
                self.post_message(self.Chosen(pane))
            at += len(text) + 1


_GAP = 2
_ALWAYS = ("help", "quit")


class KeyBar(Sparing):
    """The keys that matter most; or, until the next command, what the last one had to say."""

    @dataclass
    class Chosen(Message):
        """A key was clicked."""

        command: str

    def __init__(self) -> None:
        super().__init__(id="keys")
        self.notice = ""
        self._offers: tuple[Command, ...] = ()
        self._rate = ""
        self._commands = COMMANDS

    def show(self, view: View) -> None:
        """Draw the notice of `view`, or the keys."""
        self._commands = tuple(
            command
            for command in view.keymap.commands
            if command.needs is None or not command.footer or not command.missing(view.session)
        )
        names = [one.name for one in offers(view)]
        self._offers = tuple(one for one in self._commands if one.name in names and one.keys)
        self._rate = f"{view.session.rate:g} a second" if is_playing(view.session) else ""
        self.notice = notice_text(view)
        self.refresh_changes()

    @property
    def _tells(self) -> bool:
        """Whether the notice stands here; one that is too long has a box of its own."""
        return bool(self.notice) and cell_len(self.notice) <= self.size.width

    def _groups(self) -> list[_Group]:
        """The words that fit, with their keys; help and quit always do."""
        commands = [one for one in self._commands if one.footer and one.keys]
        groups = [
            _Group(word, tuple(members))
            for word, members in groupby(commands, key=lambda command: command.footer)
        ]
        offered = [
            _Group(word, tuple(members))
            for word, members in groupby(self._offers, key=lambda one: one.offer or self._rate)
        ]
        always = [one for one in groups if one.word in _ALWAYS]
        groups = [*offered, *(one for one in groups if one not in always)]
        while (
            groups and sum(one.width + _GAP for one in [*groups, *always]) - _GAP > self.size.width
        ):
            groups.pop()
        return [*groups, *always]

    def render(self) -> Content:
        """Keys and words."""
        if self._tells:
            return Content.styled(self.notice, "bold $warning")
        parts: list[tuple[str, str]] = []
        for group in self._groups():
            style = "bold $warning" if group.commands[0] in self._offers else "$foreground-muted"
            parts += [
                (f"{key_name(command.keys[0])} ", "bold $primary") for command in group.commands
            ]
            parts.append((group.word + " " * _GAP, style))
        return Content.assemble(*parts)

    def on_click(self, event: events.Click) -> None:
        """Tell which key was clicked; a word stands for the first of its keys."""
        place = event.get_content_offset(self)
        if place is None or self._tells:
            return
        start = 0
        for group in self._groups():
            if start <= place.x < start + group.width:
                self.post_message(self.Chosen(group.at(place.x - start)))
            start += group.width + _GAP


@dataclass(frozen=True, slots=True)
class _Group:
    """Keys that share a word."""

    word: str
    commands: tuple[Command, ...]

    @property
    def width(self) -> int:
        return sum(len(key_name(one.keys[0])) + 1 for one in self.commands) + len(self.word)

    def at(self, column: int) -> str:
        """The name of the command at a column of the group."""
        for command in self.commands:
            column -= len(key_name(command.keys[0])) + 1
            if column < 0:
                return command.name
        return self.commands[0].name
