"""The part of the app that goes along with any session: hits, search, play, panes, copies."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from textual import on
from textual.message import Message
from textual.reactive import reactive
from textual.timer import Timer

from backprop_engine.budget import StoppedError
from backprop_engine.trace import Trace
from backprop_tui.app.key_queue import TypingApp
from backprop_tui.app.picture import picture_name, save_picture
from backprop_tui.commands.table import BY_NAME
from backprop_tui.oracles.answering import answer_of
from backprop_tui.oracles.report import Failed
from backprop_tui.screens.debugger import DebuggerScreen
from backprop_tui.screens.jump import JumpScreen
from backprop_tui.session.moving.playing import is_playing, tick
from backprop_tui.session.navigation import Matches
from backprop_tui.session.search.searching import learn as learn_matches
from backprop_tui.session.search.searching import look_on, needs_looking
from backprop_tui.session.session import Session
from backprop_tui.session.stops.continuing import is_surveyed, surveys
from backprop_tui.session.stops.continuing import learn as learn_hits
from backprop_tui.session.stops.scan import Scan
from backprop_tui.session.stops.state import Key, Stop
from backprop_tui.view.text import printable


class SessionApp(TypingApp):
    """Holds one session; threads and timers send messages, and only handlers change it."""

    session: reactive[Session | None] = reactive[Session | None](None, repaint=False)

    @dataclass
    class Surveyed(Message):
        """A worker has looked on for hits of breakpoints and watches."""

        trace: Trace
        scans: Mapping[Key, Scan]

    @dataclass
    class Found(Message):
        """A worker has looked at more rows for a search."""

        matches: Matches

    @dataclass
    class Failure(Message):
        """A worker has come to nothing."""

        failed: Failed

    def __init__(self) -> None:
        super().__init__()
        self._survey_asked: tuple[Trace, tuple[Stop, ...]] | None = None
        self._search_asked: tuple[Trace, str, int | None] | None = None
        self._timer: Timer | None = None
        self._rate: float = 0

    # Breakpoints

    def survey(self) -> None:
        """Look for the hits of all breakpoints and watches in a thread, unless one is at it."""
        session = self.session
        if session is None or is_surveyed(session):
            if self._survey_asked is not None:
                self.workers.cancel_group(self, "survey")
            self._survey_asked = None
            return
        asked = session.trace, session.stops.all
        if asked != self._survey_asked:
            self._survey_asked = asked
            self.run_worker(
                partial(self._look_for_hits, session), thread=True, group="survey", exclusive=True
            )

    def _look_for_hits(self, session: Session) -> None:
        with suppress(StoppedError):
            for scans in surveys(session):
                self.give_way()
                self.post_message(self.Surveyed(session.trace, scans))

    @on(Surveyed)
    def _learn(self, event: Surveyed) -> None:
        if self.session is not None and event.trace is self.session.trace:
            self.session = learn_hits(self.session, event.scans)

    # Search and play

    def look_on(self) -> None:
        """Look for the rest of a search's matches in a thread, unless one is at it."""
        session = self.session
        if session is None or session.search is None or not needs_looking(session):
            self._search_asked = None
            self.workers.cancel_group(self, "search")
            return
        matches = session.search.matches
        asked = (session.trace, session.search.text, matches.cursor if matches else None)
        if asked != self._search_asked:
            self._search_asked = asked
            self.run_worker(
                partial(self._find, session), thread=True, group="search", exclusive=True
            )

    def _find(self, session: Session) -> None:
        def look() -> None:
            with suppress(StoppedError):  # another search is wanted by now, or none
                for matches in look_on(session, self.give_way):
                    self.give_way()
                    self.post_message(self.Found(matches))

        failed = answer_of("The search", look)
        if failed is not None:
            self.post_message(self.Failure(failed))

    @on(Failure)
    def _tell(self, event: Failure) -> None:
        if self.session is not None:
            self.session = replace(self.session, notice=event.failed.reason)

    @on(Found)
    def _take_matches(self, event: Found) -> None:
        if self.session is not None:
            self.session = learn_matches(self.session, event.matches)

    def keep_time(self) -> None:
        """Have a timer that ticks while the session plays, at its rate."""
        rate = self.session.rate if self.session is not None and is_playing(self.session) else 0
        if rate != self._rate:
            self._rate = rate
            if self._timer is not None:
                self._timer.stop()
            self._timer = self.set_interval(1 / rate, self.tick) if rate else None

    def tick(self) -> None:
        """One step of play."""
        if self.session is not None:
            self.session = tick(self.session)

    # Panes

    def action_next_pane(self) -> None:
        """Focus the next pane."""
        if isinstance(self.screen, DebuggerScreen):
            self.screen.turn(1)

    def action_previous_pane(self) -> None:
        """Focus the pane before."""
        if isinstance(self.screen, DebuggerScreen):
            self.screen.turn(-1)

    def action_zoom(self) -> None:
        """Let the focused pane fill the screen, or no longer."""
        if isinstance(self.screen, DebuggerScreen):
            self.screen.toggle_zoom()

    def action_jump_to_pane(self) -> None:
        """Show a letter on each pane, and go where one leads."""
        screen = self.screen
        if isinstance(screen, DebuggerScreen):
            self.push_screen(JumpScreen(screen.hints()), screen.focus_pane)

    # Copying and saving

    def action_copy(self, name: str) -> None:
        """Copy what a command copies."""
        copies = BY_NAME[name].copies
        if self.session is None or copies is None:
            return
        copied = copies(self.session)
        if copied.text:
            self.copy_to_clipboard("\n".join(map(printable, copied.text.split("\n"))))
        self.session = replace(self.session, notice=copied.notice)

    def action_save_picture(self) -> None:
        """Save the screen as an SVG in the current folder, once it is free of the palette."""
        self.call_after_refresh(self._save_picture)

    def _save_picture(self) -> None:
        session = self.session
        if session is None:
            return
        title = printable(session.trace.heading.title) or self.TITLE
        svg = self.export_screenshot(title=title)
        try:
            path = save_picture(svg, picture_name(session), Path.cwd())
        except OSError as error:
            reason = error.strerror or str(error)
            self.session = replace(session, notice=f"the picture cannot be saved: {reason}")
        else:
            self.session = replace(session, notice=f"saved {path.name} in {path.parent}")
