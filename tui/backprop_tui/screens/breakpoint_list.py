"""The list of breakpoints: what each looks for, its hits, and whether it is on."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from backprop_tui.screens.box import Choices, FollowingBox, titled
from backprop_tui.screens.prompt import BreakpointPrompt
from backprop_tui.session.session import Change, Session
from backprop_tui.session.stops import editing
from backprop_tui.session.stops.continuing import scan_of
from backprop_tui.session.stops.reasons import hits_text
from backprop_tui.session.stops.state import Breakpoint, Scan
from backprop_tui.view.messages import Changed
from backprop_tui.view.text import fit, left, printable, right
from backprop_tui.widgets.keys import HELP

_EMPTY = """\
No breakpoint yet.

In the graph, b sets one on the selected node. Here, a adds one, such as

  x if abs(grad) > 10     where x takes part and its gradient is large
  mul                     where any product is computed or sends
  backward y              where that pass begins
  if isnan(grad)          wherever the condition holds
"""
_KEYS = "enter edit · a add · space off/on · d delete · g go · ? help · esc closes"
_HITS, _IGNORED = 14, 12
_MARGINS = 8


class BreakpointList(FollowingBox):
    """Every key changes the session at once; only going to a hit closes the list."""

    TOPIC: ClassVar = "breakpoints"
    BINDINGS: ClassVar = [
        HELP,
        Binding("escape,q,L", "dismiss(None)", "close", show=False),
        Binding("a", "add", "add", show=False),
        Binding("space", "enable", "on or off", show=False),
        Binding("d,delete", "delete", "delete", show=False),
        Binding("plus,equals_sign", "ignore(1)", "ignore one more hit", show=False),
        Binding("minus", "ignore(-1)", "ignore one hit fewer", show=False),
        Binding("g,n", "next_hit", "go to the next hit", show=False),
    ]

    def compose(self) -> ComposeResult:
        """The breakpoints, or how to set one; under them the watches that stop."""
        text = self._view.glyphs.text
        with titled(Vertical(id="breakpoints"), "Breakpoints", text(_KEYS)):
            yield Choices()
            yield Static(text(_EMPTY), id="no-breakpoint")
            yield Static(id="stopping-watches")

    def draw(self) -> None:
        """List them, in columns that fit the width."""
        choices = self.query_one(OptionList)
        stops = self._view.session.stops
        rows = [Option(self._row(breakpoint_)) for breakpoint_ in stops.breakpoints]
        at = choices.highlighted or 0
        choices.set_options(rows)
        choices.display = bool(rows)
        self.query_one("#no-breakpoint").display = not rows
        if rows:
            choices.highlighted = min(at, len(rows) - 1)
            choices.focus()
        watches = [watch.text for watch in stops.watches if watch.is_stop]
        said = self.query_one("#stopping-watches", Static)
        said.display = bool(watches)
        listed = ", ".join(map(printable, watches))
        said.update(
            Content.styled(f"and where these watches change: {listed}", "$foreground-muted")
        )

    def _row(self, listed: Breakpoint) -> Content:
        view, glyphs = self._view, self._view.glyphs
        width = max(self.app.size.width, 20)
        room = min(width - _MARGINS, 100) - _HITS - _IGNORED - 2
        scan = scan_of(view.session, listed)
        hits = f"{hits_text(scan, view.session.cursor)} hits"
        mark = glyphs.breakpoint if listed.is_enabled else glyphs.breakpoint_off
        name = f"{listed.title}: {listed.text}" if listed.title else listed.text
        ignored = f"ignores {listed.ignored}" if listed.ignored else ""
        return Content.assemble(
            (mark + " ", "bold $error" if listed.is_enabled else "$foreground-muted"),
            (left(printable(name), max(room, 4)), "" if listed.is_enabled else "$foreground-muted"),
            (right(glyphs.text(hits), _HITS), "$foreground-muted"),
            (right(ignored, _IGNORED), "$foreground-muted"),
            *self._trouble(scan, room),
        )

    def _trouble(self, scan: Scan | None, room: int) -> list[tuple[str, str]]:
        """Why the condition could not be evaluated everywhere, in a line of its own."""
        if scan is None or not scan.trouble:
            return []
        said = self._view.say(scan.trouble)
        return [(f"\n  {fit(said, room + _HITS + _IGNORED)}", "$error")]

    @property
    def _at(self) -> int | None:
        """The highlighted breakpoint; None where there is none."""
        at = self.query_one(OptionList).highlighted
        return at if at is not None and at < len(self._view.session.stops.breakpoints) else None

    def _ask(self, change: Callable[[Session, int], Session]) -> None:
        if (at := self._at) is not None:
            self.post_message(Changed(lambda session: change(session, at)))

    def action_add(self) -> None:
        """Ask for a new breakpoint."""
        self._prompt(BreakpointPrompt(self._view, None, ""))

    @on(OptionList.OptionSelected)
    def _edit(self, event: OptionList.OptionSelected) -> None:
        old = self._view.session.stops.breakpoints[event.option_index]
        self._prompt(BreakpointPrompt.edit(self._view, old))

    def _prompt(self, prompt: BreakpointPrompt) -> None:
        def take(change: Change | None) -> None:
            if change is not None:
                self.post_message(Changed(change))

        self.app.push_screen(prompt, take)

    def action_enable(self) -> None:
        """Switch the highlighted one off, or on again."""
        self._ask(editing.enable)

    def action_delete(self) -> None:
        """Delete the highlighted one."""
        self._ask(editing.delete)

    def action_ignore(self, by: int) -> None:
        """Pass by more of its hits, or fewer."""
        self._ask(lambda session, at: editing.ignore(session, at, by))

    def action_next_hit(self) -> None:
        """Close the list and go to the next hit of the highlighted one."""
        if (at := self._at) is not None:
            self.dismiss(lambda session: editing.to_next_hit(session, at))
