"""The part of the app that goes along with edits, the file, and what was kept of last time."""

from __future__ import annotations

import os
import shutil
from concurrent.futures import Future, wait
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from time import monotonic

from textual import on
from textual.app import SuspendNotSupported
from textual.message import Message
from textual.worker import get_current_worker

from backprop_engine.basics.source import STANDARD_INPUT, Source
from backprop_engine.budget import StoppedError
from backprop_engine.trace import Trace
from backprop_tui.app import file_looks
from backprop_tui.app.editor import Editor, find_editor, run_editor
from backprop_tui.app.signals import left_to_editor
from backprop_tui.app.surveys import SessionApp
from backprop_tui.config.settings import Settings
from backprop_tui.memory.keeper import Keeper
from backprop_tui.memory.layout import Layout
from backprop_tui.opening.sessions import read_again
from backprop_tui.opening.soon import PATIENCE, begin
from backprop_tui.opening.targets import Refusal, Target
from backprop_tui.screens.debugger import DebuggerScreen
from backprop_tui.screens.problem import TroubleScreen
from backprop_tui.session.reload.carrying import carry
from backprop_tui.session.session import Session
from backprop_tui.session.stepping_in import stack
from backprop_tui.session.whatif import editing
from backprop_tui.session.whatif.state import Wanted, WhatIf
from backprop_tui.view.glyphs import Glyphs
from backprop_tui.widgets.source_pane import step_line

_LOOKS_A_SAVE = 4
"""Looks at the file for each time that memory is written."""
_GONE_AFTER = 4
"""Looks that a file may be missing without a word: some editors take it away while they save."""


class LivingApp(SessionApp):
    """Runs again with other values, follows the file, and remembers.

    Threads send messages; only handlers change anything.
    """

    glyphs: Glyphs
    settings: Settings
    opened_target: Target

    @dataclass
    class Reran(Message):
        """A worker has run the graph with other values."""

        outcome: editing.Outcome

    @dataclass
    class ReadAgain(Message):
        """A worker has read the file again."""

        target: Target
        reading: Future[Session | Refusal]

    def __init__(self, keeper: Keeper | None = None, *, fresh: bool = False) -> None:
        super().__init__()
        self._keeper = keeper
        self._is_fresh = fresh
        self._watched: file_looks.Watched | None = None
        self._missing = 0
        self._looks = 0
        self._under_way: Wanted | None = None
        self._since = 0.0
        self._is_reading = False
        self.trouble: Refusal | None = None
        """Why the file, as it is now, cannot be opened; the last good run is on the screen."""

    def start_living(self) -> None:
        """Have a timer that looks at the file, and at what is worth keeping."""
        self.set_interval(file_looks.INTERVAL, self._look_round)

    def _look_round(self) -> None:
        if self.session is None or not self.screen_stack:  # none is left while the app ends
            return
        self._look_at_file()
        self._tell_progress()
        self._looks = (self._looks + 1) % _LOOKS_A_SAVE
        if not self._looks:
            self.keep()

    # Other values

    def run_wanted(self) -> None:
        """Run in a thread what an edit has left to one."""
        session = self.session
        wanted = None if session is None else session.whatif.wanted
        if wanted is self._under_way:
            return
        self._under_way = wanted
        self.workers.cancel_group(self, "what-if")
        if session is not None and wanted is not None:
            self._since = monotonic()
            work = partial(self._carry_out, session.whatif, wanted)
            self.run_worker(work, thread=True, group="what-if")

    def _carry_out(self, whatif: WhatIf, wanted: Wanted) -> None:
        worker = get_current_worker()
        # Whoever has cancelled it has been told so already.
        with suppress(StoppedError):
            outcome = editing.carry_out(whatif, wanted, lambda: worker.is_cancelled)
            self.post_message(self.Reran(outcome))

    @on(Reran)
    def _take_run(self, event: Reran) -> None:
        if self.session is not None:
            self.session = editing.arrive(self.session, event.outcome)

    def _tell_progress(self) -> None:
        if self._under_way is not None and self.session is not None:
            self.session = editing.progress(self.session, monotonic() - self._since)

    # The file

    @property
    def scenario_file(self) -> Path | None:
        """The file of the scenario that is open; None for a text without one."""
        return self.opened_target if isinstance(self.opened_target, Path) else None

    @property
    def _came(self) -> str:
        """Where a scenario without a file is from."""
        target = self.opened_target
        is_piped = isinstance(target, Source) and target.name == STANDARD_INPUT
        return "came from standard input" if is_piped else "was given with -e"

    def watch_file(self) -> None:
        """Begin to look at the file of what is being opened, before it is read."""
        path = self.scenario_file
        self._watched = None if path is None else file_looks.begin(file_looks.look(path))
        self.trouble = None
        self._missing = 0

    def _look_at_file(self) -> None:
        path = self.scenario_file
        # Prompts and lists speak of nodes of the run that is on the screen: it stays under them.
        is_free = isinstance(self.screen, DebuggerScreen | TroubleScreen)
        if path is None or self._watched is None or self._is_reading or not is_free:
            return
        self._watched, is_due = file_looks.after(self._watched, file_looks.look(path))
        self._tell_missing(path)
        if is_due:
            self._read_again()

    def _tell_missing(self, path: Path) -> None:
        is_gone = self._watched is not None and self._watched.is_gone
        self._missing = self._missing + 1 if is_gone else 0
        if self._missing == _GONE_AFTER:
            self._say(f"{path.name} is gone; what was read last stays, until it is back")

    def _say(self, notice: str) -> None:
        if self.session is not None:
            self.session = replace(self.session, notice=notice)

    def _read_again(self) -> None:
        """Read the file now."""
        session, target = self.session, self.opened_target
        if session is None:
            return
        reading = begin(partial(read_again, target, session))
        wait((reading,), PATIENCE)
        if reading.done():
            self._take_again(self.ReadAgain(target, reading))
        else:
            self._is_reading = True
            self._say("reading again …")
            reading.add_done_callback(lambda _: self.post_message(self.ReadAgain(target, reading)))

    @on(ReadAgain)
    def _take_again(self, event: ReadAgain) -> None:
        self._is_reading = False
        if self.session is None or event.target != self.opened_target:
            return
        result = event.reading.result()
        if isinstance(result, Refusal):
            self.trouble = result
            self._say("")
            self.redraw()
            return
        self.trouble = None
        if isinstance(self.screen, TroubleScreen):
            self.pop_screen()
        self.session = carry(self.session, result)

    def action_read_again(self) -> None:
        """Show what is wrong with the file; where nothing is known to be, read it again."""
        if self.trouble is not None:
            self.push_screen(TroubleScreen(self.trouble, self.glyphs))
        elif self.scenario_file is None:
            self._say(f"this scenario has no file: it {self._came}")
        elif not self._is_reading:
            self.watch_file()
            self._read_again()

    # The editor

    def action_edit_source(self) -> None:
        """Open the file in the person's editor, and look at it at once afterwards."""
        path, session = self.scenario_file, self.session
        if path is None or session is None:
            self._say(f"this scenario has no file to edit: it {self._came}")
            return
        editor = find_editor(os.environ, shutil.which)
        if isinstance(editor, str):
            self._say(editor)
            return
        self._say(self._edited(editor, path, step_line(stack(session)[-1])))
        if self._watched is not None and file_looks.look(path) != self._watched.read:
            self.watch_file()
            self._read_again()

    def _edited(self, editor: Editor, path: Path, line: int) -> str:
        """Run the editor in the place of the screen; what there is to say of it."""
        # What is raised inside of `suspend` leaves Textual (8.2.8) suspended.
        try:
            with self.suspend(), left_to_editor():
                return run_editor(editor, path, line)
        except SuspendNotSupported:
            return "this terminal cannot be lent to an editor"

    # Memory

    def layout_now(self) -> Layout | None:
        """How the debugger's screen is laid out; None where it is not open."""
        for screen in self.screen_stack if self.is_running else ():
            if isinstance(screen, DebuggerScreen) and screen.is_mounted:
                return screen.layout_now
        return None

    def keep(self) -> None:
        """Write what is worth keeping, if that has changed."""
        look = self.layout_now()
        if self._keeper is None or self.session is None or look is None:
            return
        trouble = self._keeper.keep(self.session, look, self.theme)
        if trouble:
            self._say(trouble)

    def recall(self, session: Session) -> tuple[Session, Layout]:
        """The session and the layout as they were left."""
        target = self.opened_target
        if self._keeper is None or isinstance(target, Trace):
            return session, Layout()
        found = self._keeper.recall(target, session, fresh=self._is_fresh)
        if found.kept is None:
            return found.session, Layout()
        if found.kept.theme in self.available_themes and not self.settings.is_theme_asked:
            self.theme = found.kept.theme
        return found.session, found.kept.layout
