"""The desk that opens a scenario, shows it as it was left, and keeps it for the next time."""

from __future__ import annotations

import gc
import pkgutil
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from backprop_engine.trace import Trace
from backprop_tui import screens
from backprop_tui.app.soon import Job, Result
from backprop_tui.memory.keeper import Keeper
from backprop_tui.memory.layout import Layout
from backprop_tui.opening.sessions import read_session
from backprop_tui.opening.targets import Refusal, Target, not_served
from backprop_tui.screens.debugger import DebuggerScreen
from backprop_tui.screens.working import WorkingScreen
from backprop_tui.session.session import Session
from backprop_tui.widgets.keys import hearing

if TYPE_CHECKING:
    from backprop_tui.app.app import DebuggerApp

_WORK = "This"
"""What the screen cannot go on without: there is one such work at a time."""


class OpeningDesk:
    """Knows what the app was started for."""

    def __init__(
        self, app: DebuggerApp, target: Target, keeper: Keeper | None, *, fresh: bool
    ) -> None:
        """`fresh`: what was kept the last time does not count."""
        self._app, self._target, self._keeper, self._is_fresh = app, target, keeper, fresh
        self.refusal: Refusal | None = None
        """Why the one scenario that the app was started for cannot be opened."""
        self._left: tuple[Target, Session, Layout] | None = None
        """What was open when a lesson was opened from it."""

    @property
    def has_list(self) -> bool:
        """Whether there is a list of scenarios to go back to."""
        is_folder = isinstance(self._target, Path) and self._target.is_dir()
        return is_folder and not self._app.practice.is_on

    def begin(self) -> None:
        """Show the list of a folder, or open what is no folder."""
        if self._app.practice.begin():
            return
        if isinstance(self._target, Path) and self.has_list:
            from backprop_tui.screens.picker import PickerScreen

            recent = () if self._keeper is None else self._keeper.recent
            app = self._app
            app.push_screen(PickerScreen(self._target, app.glyphs, recent, app.may_open))
        else:
            self.open(self._target)

    def open(self, target: Target) -> None:
        """Read `target` and show it: before the first paint, where that is soon enough."""
        self._app.file.begin(target)
        name = target.heading.title if isinstance(target, Trace) else target.name
        may = not isinstance(target, Path) or self._app.may_open(target)
        read = partial(read_session if may else not_served, target)
        self.work(f"reading {name}", lambda _: read(), self._show)

    def leave_for(self, lesson: Path) -> None:
        """Open `lesson` in the place of what is open, until one goes back."""
        app, session = self._app, self._app.session
        if session is None or not isinstance(app.screen, DebuggerScreen):
            return
        left = self._left or (app.file.target, session, app.screen.layout_now)
        self._close()
        self._left = left
        self.open(lesson)

    def go_back(self) -> bool:
        """Show again what a lesson was opened from; whether there is anything to go back to."""
        if self._left is None and not (self.has_list or self._app.practice.is_on):
            return False
        left = self._left
        self._close()
        if left is None and self._app.practice.begin():
            return True
        if left is not None:
            target, session, layout = left
            self._app.file.begin(target)
            self.put(session, layout)
        return True

    def _close(self) -> None:
        self.keep()
        self._left = None
        self._app.pop_screen()
        self._app.session = None

    def work(
        self, what: str, work: Callable[[Job], Result], then: Callable[[Result], None]
    ) -> None:
        """Do what the screen cannot go on without; say `what` where that takes a while."""
        app = self._app

        def arrive(result: Result) -> None:
            screen = app.screen if app.screen_stack else None
            typed = screen.typed if isinstance(screen, WorkingScreen) else ()
            if isinstance(screen, WorkingScreen):
                app.pop_screen()
            then(result)
            app.call_after_refresh(app.keys.type_again, typed)

        if not app.soon(_WORK, work, arrive):
            app.push_screen(WorkingScreen(app.glyphs.text(what)))

    def give_up(self) -> None:
        """From a bad scenario, or from work that takes long, back to what there was, or out."""
        self._app.soon.cancel(_WORK)
        if self._app.session is not None or self.has_list:
            self._app.pop_screen()
        else:
            self._app.exit()

    def _show(self, result: Session | Refusal) -> None:
        app, self.refusal = self._app, None
        if isinstance(result, Refusal):
            from backprop_tui.screens.problem import ProblemScreen

            if not self.has_list and not result.is_lesson:
                self.refusal = result
            app.push_screen(ProblemScreen(result, app.glyphs, has_list=self.has_list))
            return
        session, layout = self._recall(replace(result, rate=app.settings.rate))
        notice = session.notice or app.settings.notice or session.trace.heading.note
        self.put(replace(session, notice=notice), layout)

    def put(self, session: Session, layout: Layout) -> None:
        """Show `session` on a screen of its own."""
        app = self._app
        view = app.take_up(session)
        screen = hearing(DebuggerScreen, "", app.settings.keymap)(view, layout)
        app.push_screen(screen)
        app.call_later(screen.begin_to_draw)
        app.call_after_refresh(self._settle, session.trace)

    def show_anew(self, pane: str) -> None:
        """Show what is open on a new screen, with a `pane` that comes or goes, in front."""
        app, session = self._app, self._app.session
        if session is not None and isinstance(app.screen, DebuggerScreen):
            layout = replace(app.screen.layout_now, pane=pane)
            app.pop_screen()
            self.put(session, layout)

    def _settle(self, trace: Trace) -> None:
        """The first frame is there: ask torch, and spare the collector what stays as it is."""
        # Else it walks libraries and traces every few hundred keys, and the screen stands still
        # for a tenth of a second and more.
        if gc.get_freeze_count():
            gc.unfreeze()
            gc.collect()  # what an earlier scenario has left
        gc.freeze()
        self._app.oracles.look_into(trace)
        self._app.surveys.follow(self._app.session)
        self._app.soon("Import", _import_screens, lambda _: None, patience=0)

    # Memory

    def _recall(self, session: Session) -> tuple[Session, Layout]:
        """The session and the layout as they were left."""
        app, target = self._app, self._app.file.target
        if self._keeper is None or isinstance(target, Trace):
            return session, Layout()
        if isinstance(target, Path):
            self._keeper.opened(target)
        found = self._keeper.recall(target, session, fresh=self._is_fresh)
        if found.kept is None:
            return found.session, Layout()
        if found.kept.theme in app.available_themes and not app.settings.is_theme_asked:
            app.theme = found.kept.theme
        return found.session, found.kept.layout

    def keep(self) -> None:
        """Write what is worth keeping, if that has changed."""
        app, session = self._app, self._app.session
        if self._keeper is None or session is None or not app.is_running:
            return
        for screen in app.screen_stack:
            if isinstance(screen, DebuggerScreen) and screen.is_mounted:
                trouble = self._keeper.keep(session, screen.layout_now, app.theme)
                if trouble:
                    app.say(trouble)
                return


def _import_screens(job: Job) -> None:
    """Those that open later, so that they open at once."""
    for module in pkgutil.iter_modules(screens.__path__, f"{screens.__name__}."):
        job.rest()
        import_module(module.name)
