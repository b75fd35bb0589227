"""The one-line bars: title, tabs and keys."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import groupby
from typing import Final

from rich.cells import cell_len
from textual.content import Content
from textual.widgets import Static

from backprop_tui.commands.command import Command, key_name
from backprop_tui.commands.table import BY_NAME, COMMANDS
from backprop_tui.session.moving import is_playing
from backprop_tui.session.stepping_in import breadcrumb, stack
from backprop_tui.view.text import fit, printable, wrapped
from backprop_tui.view.view import Following, View
from backprop_tui.widgets.sparing import Drawn, Piece, Pieces
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
YOURS = ("yours", "Yours")
"""One more where a learner's file is named."""


def panes_of(view: View) -> tuple[tuple[str, str], ...]:
    """The panes that there are, those that share a place side by side."""
    if view.yours is None:
        return PANES
    at = next(at for at, (pane, _) in enumerate(PANES) if pane == "torch")
    return (*PANES[:at], YOURS, *PANES[at:])


_LETTERS = 4
"""Of a name, where there is hardly any room."""


class TitleBar(Drawn):
    """What is open: title on the left; file, dtype and torch on the right."""

    def render(self) -> Content:
        """Title and facts, as many as there is room for."""
        trace, width = stack(self.view.session)[-1].trace, self.size.width
        name = printable(trace.heading.name)
        title = printable(trace.heading.title)
        crumbs = breadcrumb(self.view.session)
        dot = self.view.glyphs.text(" · ")
        asking = f"{dot}predict" if self.view.is_closed else ""
        facts = [name, trace.dtype, torch_status(self.view) + asking]
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
        texts = list(map(self.view.say, crumbs))
        mark = " > " if self.view.glyphs.is_ascii else " ▸ "
        while len(texts) > 2 and cell_len(mark.join(texts)) > self.size.width * 2 // 3:
            texts.pop(0)
        return mark.join(texts)


class TroubleBar(Drawn):
    """What is wrong with the file that was saved; no line of the screen where nothing is."""

    def on_mount(self) -> None:
        """Take no place while there is nothing to say."""
        self.display = bool(self.view.trouble)

    def show(self, view: View) -> None:
        """Draw `view`."""
        self.display = bool(view.trouble)
        super().show(view)

    def render(self) -> Content:
        """One line, and the key that shows all of it."""
        view = self.view
        key = view.keymap.key("read_again")
        hint = f"  {key} shows it" if key else ""
        room = self.size.width - len(hint) - 2
        said = fit(view.say(view.trouble), max(room, 1))
        return Content.assemble(
            (f"{view.glyphs.disagrees} ", "bold $error"), (said, "bold"), (hint, "bold $primary")
        )

    async def on_click(self) -> None:
        """Show all of it."""
        await self.run_action(BY_NAME["read_again"].action)


class PaneTabs(Pieces):
    """The names of the panes, of which a narrow screen shows one at a time."""

    def __init__(self, panes: tuple[tuple[str, str], ...] = PANES) -> None:
        super().__init__(id="tabs")
        self._panes = panes
        self.active = panes[0][0]

    def show(self, active: str) -> None:
        """Mark `active` as the one that is shown."""
        self.active = active
        self.refresh_changes()

    def _labels(self) -> list[tuple[str, str]]:
        """Pane and text of each tab; where room is short, without blanks and further words.

        Where even that is too long, only the pane that is shown has its word in full.
        """
        panes, active = self._panes, self.active
        full = [(pane, f"[{name}]" if pane == active else f" {name} ") for pane, name in panes]
        if sum(len(text) + 1 for _, text in full) - 1 <= self.size.width:
            return full
        words = [(pane, name.partition(" ")[0]) for pane, name in panes]
        if sum(len(word) + 1 for _, word in words) + 1 > self.size.width:
            words = [(pane, w if pane == self.active else w[:_LETTERS]) for pane, w in words]
        return [(pane, f"[{word}]" if pane == self.active else word) for pane, word in words]

    def pieces(self) -> list[Piece]:
        """The names; the one shown in brackets, for eyes that see no colour."""
        styles = {self.active: "bold $primary"}
        pieces: list[Piece] = []
        for pane, text in self._labels():
            style = styles.get(pane, "$foreground-muted")
            pieces += [Piece(text, style, f"screen.look_at('{pane}')"), Piece(" ")]
        return pieces[:-1]

    def column(self, pane: str) -> int:
        """Where the name of `pane` starts, behind a blank or a bracket."""
        column = 0
        for name, text in self._labels():
            if name == pane:
                return column + len(text) - len(text.lstrip(" ["))
            column += len(text) + 1
        raise KeyError(pane)


_GAP = 2
_ALWAYS = ("help", "quit")


class KeyBar(Following, Pieces):
    """The keys that matter most; or, until the next command, what the last one had to say."""

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
            if not (command.footer or command.offer) or not command.missing(view.session)
        )
        names = [command.name for command in offers(view)]
        self._offers = tuple(each for each in self._commands if each.name in names and each.keys)
        self._rate = f"{view.session.rate:g} a second" if is_playing(view.session) else ""
        self.notice = notice_text(view)
        self.refresh_changes()

    def _groups(self) -> list[list[Piece]]:
        """The words that fit, with their keys; help and quit always do."""
        offered = groupby(self._offers, key=lambda command: command.offer or self._rate)
        first = [self._group(word, tuple(commands)) for word, commands in offered]
        footer = [command for command in self._commands if command.footer and command.keys]
        always: list[list[Piece]] = []
        for word, commands in groupby(footer, key=lambda command: command.footer):
            group = self._group(word, tuple(commands))
            (always if word in _ALWAYS else first).append(group)
        while first and sum(map(_width, [*first, *always])) - _GAP > self.size.width:
            first.pop()
        return [*first, *always]

    def _group(self, word: str, commands: tuple[Command, ...]) -> list[Piece]:
        """Keys that share a word, which stands for the first of them."""
        style = "bold $warning" if commands[0] in self._offers else "$foreground-muted"
        return [
            *(Piece(f"{key_name(key.keys[0])} ", "bold $primary", key.action) for key in commands),
            Piece(word + " " * _GAP, style, commands[0].action),
        ]

    def pieces(self) -> list[Piece]:
        """Keys and words; or the notice, unless it is too long and has a box of its own."""
        if self.notice and cell_len(self.notice) <= self.size.width:
            return [Piece(self.notice, "bold $warning")]
        return [piece for group in self._groups() for piece in group]


def _width(group: list[Piece]) -> int:
    return sum(len(piece.text) for piece in group)


_OCCASIONS: Final[Mapping[str, Callable[[View], bool]]] = {
    "predict": lambda view: view.is_closed,
    "autopsy": lambda view: view.fault is not None,
    "step_out": lambda view: view.session.outer is not None,
    "step_into": lambda view: BY_NAME["step_into"].missing(view.session) is None,
    "lens": lambda view: view.session.sent_shape is not None,
    "play_forward": lambda view: _plays(view, forward=True),
    "play_back": lambda view: _plays(view, forward=False),
    "slower": lambda view: is_playing(view.session),
    "faster": lambda view: is_playing(view.session),
}


def _plays(view: View, *, forward: bool) -> bool:
    play = view.session.play
    return play is not None and is_playing(view.session) and play.forward is forward


def offers(view: View) -> tuple[Command, ...]:
    """The commands whose time it is, the most urgent first."""
    return tuple(BY_NAME[name] for name, is_time in _OCCASIONS.items() if is_time(view))


_PADDING = 2


def is_long(view: View, width: int) -> bool:
    """Whether the notice of `view` does not fit one line of a screen `width` cells wide."""
    return cell_len(notice_text(view)) > width - _PADDING


def notice_text(view: View) -> str:
    """What the last command had to say, in signs this terminal has."""
    return view.say(view.session.notice)


class NoticeBox(Static):
    """Lies over the screen, so that nothing moves when it comes and goes."""

    def __init__(self) -> None:
        super().__init__(id="notice")
        self.display = False

    def show(self, view: View, width: int) -> None:
        """Tell the notice of `view`, if it is long; width in cells is the screen's."""
        self.display = is_long(view, width)
        if self.display:
            room = max(width - _PADDING, 1)
            lines = wrapped(notice_text(view), room, "bold $warning", hyphens=False)
            self.update(Content("\n").join(lines))
