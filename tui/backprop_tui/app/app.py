"""The application: one session, commands that replace it, and the screens that draw it.

Screens are imported where they are opened, and all of them once the first frame is there: they
would take a tenth of the time until then.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from textual import events, on
from textual.app import App
from textual.binding import Binding
from textual.driver import Driver
from textual.filter import LineFilter, Monochrome, NoColor
from textual.theme import ThemeProvider

from backprop_engine.trace import Missing
from backprop_tui.app import file_looks
from backprop_tui.app.asking_desk import AskingDesk
from backprop_tui.app.file_desk import FileDesk
from backprop_tui.app.key_queue import KeyQueue
from backprop_tui.app.opening_desk import OpeningDesk
from backprop_tui.app.oracle_desk import AsksSympy, AsksTorch, OracleDesk
from backprop_tui.app.palette import CommandList, Palette
from backprop_tui.app.picture import saved
from backprop_tui.app.play_desk import PlayDesk
from backprop_tui.app.practice_desk import PracticeDesk
from backprop_tui.app.signals import end_in_order
from backprop_tui.app.soon import Soon
from backprop_tui.app.surveys import Surveys
from backprop_tui.app.yours_desk import Examines, YoursDesk
from backprop_tui.commands.command import Command
from backprop_tui.commands.table import BY_NAME
from backprop_tui.config.settings import Settings
from backprop_tui.memory.keeper import Keeper
from backprop_tui.opening.practice import Course
from backprop_tui.opening.targets import Target
from backprop_tui.screens.debugger import DebuggerScreen
from backprop_tui.screens.problem import TroubleScreen
from backprop_tui.screens.working import WorkingScreen
from backprop_tui.session import lens
from backprop_tui.session import session as do
from backprop_tui.session.moving import is_playing, pause
from backprop_tui.session.predicting.answering import held
from backprop_tui.session.session import Change, Session
from backprop_tui.session.stepping_in import step_out
from backprop_tui.session.stops.continuing import cancel
from backprop_tui.session.whatif import editing as changing
from backprop_tui.styles.themes import Themed
from backprop_tui.view.glyphs import AsciiFilter, Glyphs, HarmlessFilter, glyphs_for
from backprop_tui.view.messages import Changed, ScenarioChosen
from backprop_tui.view.text import printable
from backprop_tui.view.view import CLOSED, Following, View
from backprop_tui.widgets.graph_tree import GraphTree

_SWITCH = 0.0005
"""Seconds that a thread may compute while the loop wants to; it wants to dozens of times a key."""

_LOOKS_A_SAVE = 4
"""Looks at the file for each time that memory is written."""


class DebuggerApp(Themed):
    """Opens a scenario file, a shorthand, or a folder's list of scenarios; owns the desks."""

    TITLE = "backprop-tui"
    CSS_PATH = "../styles/backprop.tcss"
    COMMANDS: ClassVar = App.COMMANDS | {CommandList}
    BINDINGS: ClassVar = [Binding("ctrl+q", "quit", "quit", show=False, priority=True)]

    def __init__(
        self,
        target: Target,
        *,
        oracle: AsksTorch | Missing | None = None,
        symbolic: AsksSympy | None = None,
        glyphs: Glyphs | None = None,
        settings: Settings | None = None,
        keeper: Keeper | None = None,
        fresh: bool = False,
        course: Course | None = None,
        yours: Examines | None = None,
    ) -> None:
        super().__init__()
        self.settings = settings = settings or Settings()
        self.theme = settings.theme
        # Where TEXTUAL_THEME names it, it is no change, and would go by what Textual knew of it.
        self.stylesheet.set_variables(self.get_css_variables())
        self.glyphs = glyphs_for(os.environ) if glyphs is None else glyphs
        self._ascii, self._harmless = AsciiFilter(), HarmlessFilter()
        self._session: Session | None = None
        self.keys = KeyQueue(self, super().on_event, self.redraw)
        self.soon = Soon(
            self._arrive, lambda: self.keys.is_typing, lambda failed: self.say(failed.reason)
        )
        self.file = FileDesk(self, target)
        self.opening = OpeningDesk(self, target, keeper, fresh=fresh)
        self.oracles = OracleDesk(self, oracle, symbolic, settings.limits, settings.keymap)
        self.yours, self.surveys, self.play = YoursDesk(self, yours), Surveys(self), PlayDesk(self)
        self.practice, asking = PracticeDesk(self, course), AskingDesk(self)
        self._desks = (self.oracles, self.yours, self.surveys, self.play, asking, self.practice)

    def get_line_filters(self) -> list[LineFilter]:
        """Textual's filters and ours; one more where the terminal has only ASCII.

        NO_COLOR means the terminal's own colours (no-color.org), and no grey in their place.
        """
        theirs = (
            NoColor() if isinstance(filter_, Monochrome) else filter_
            for filter_ in super().get_line_filters()
        )
        filters: list[LineFilter] = [*theirs, self._harmless]
        return [*filters, self._ascii] if self.glyphs.is_ascii else filters

    # Beginning and end

    def on_mount(self) -> None:
        """Show the list of a folder, or open what is no folder."""
        sys.setswitchinterval(_SWITCH)
        self.call_after_refresh(gc.enable)  # the command line has switched it off to start sooner
        if not self.is_headless:
            end_in_order(partial(self.exit, None))
        self.opening.begin()
        self.set_interval(file_looks.INTERVAL, self._look_round)
        self.set_interval(file_looks.INTERVAL * _LOOKS_A_SAVE, self.opening.keep)

    def on_unmount(self) -> None:
        """Let no thread wait for an oracle when the app ends."""
        self.soon.close()
        self.oracles.close()
        self.yours.close()
        gc.unfreeze()

    async def on_event(self, event: events.Event) -> None:
        """Let keys queue up; all other events are Textual's affair."""
        if isinstance(event, events.Key | events.Paste) and not event.is_forwarded:
            await self.keys.take(event)
        else:
            await super().on_event(event)

    def get_driver_class(self) -> type[Driver]:
        """Textual's choice, but for a driver of ours in the place of that for Linux and macOS."""
        chosen = super().get_driver_class()
        if chosen.__name__ != "LinuxDriver":
            return chosen
        from backprop_tui.app.terminal import TerminalDriver

        return TerminalDriver

    def may_open(self, path: Path) -> bool:
        """Whether the person may have this file opened."""
        del path
        return True

    def take_up(self, session: Session) -> View:
        """Have `session` open from now on; what a screen of it shows at first."""
        self._session = session
        self.oracles.begin(session)
        return self.view_of(session)

    @on(ScenarioChosen)
    def _open_chosen(self, event: ScenarioChosen) -> None:
        if self.session is None:
            self.opening.open(event.path)
        else:
            self.opening.leave_for(event.path)

    # Showing

    @property
    def session(self) -> Session | None:
        """What is open; None for nothing."""
        return self._session

    @session.setter
    def session(self, session: Session | None) -> None:
        session = None if session is None else held(session)
        if session == self._session:  # as at the end, where there is no further step
            return
        self._session = session
        for desk in self._desks:
            desk.follow(session)
            if self._session is not session:
                return  # the desk has changed it, and all have heard of that
        if not self.screen_stack:  # none is left while the app ends
            return
        if isinstance(self.screen, TroubleScreen) and self.file.trouble is None:
            self.pop_screen()
        self.keys.draw()

    def view_of(self, session: Session) -> View:
        """What screens draw of `session`."""
        known, trouble = self.oracles.findings, self.file.trouble
        is_closed = session.predicting is not None
        return View(
            session,
            known.torch,
            known.agreement,
            self.glyphs,
            symbolic=CLOSED if is_closed else known.symbolic,
            autopsy=None if is_closed else known.autopsy,
            is_examined=known.is_examined,
            trouble="" if trouble is None else trouble.headline,
            keymap=self.settings.keymap,
            yours=self.yours.found,
        )

    def _arrive(self, deliver: Callable[[], None]) -> None:
        """Have the loop hand over what a thread has done, if there still is a screen by then."""

        def arrive() -> None:
            if self.screen_stack:  # none is left while the app ends
                deliver()

        self.call_later(arrive)

    def redraw(self) -> None:
        """Draw the session in every screen that follows it."""
        for screen in self.screen_stack if self.is_running else ():
            if self.session is not None and isinstance(screen, Following):
                screen.show(self.view_of(self.session))

    def say(self, notice: str) -> None:
        """Tell a sentence until the next command."""
        if self.session is not None:
            self.session = replace(self.session, notice=notice)

    def _look_round(self) -> None:
        """A few times a second: what nobody tells is looked at."""
        if self.session is None or not self.screen_stack:  # none is left while the app ends
            return
        # Prompts and lists speak of nodes of the run that is on the screen: it stays under them.
        if isinstance(self.screen, DebuggerScreen | TroubleScreen):
            self.file.look()
            self.yours.look()
        self.surveys.tell_progress()

    @on(DebuggerScreen.FormulasWanted)
    def _want_formulas(self) -> None:
        self.oracles.want_formulas()

    @on(Changed)
    def _take_change(self, event: Changed) -> None:
        self.change(event.change)

    # Commands

    def action_command(self, name: str) -> None:
        """Run a command of the session."""
        command, session = BY_NAME[name], self.session
        if session is None or command.apply is None or self._lacks(command, session):
            return
        if command.doing is None:
            self.session = command.apply(session)
        else:
            apply = partial(command.apply, session)
            put = partial(setattr, self, "session")
            self.opening.work(command.doing(session), lambda _: apply(), put)

    def action_ask(self, name: str) -> None:
        """Ask what a command needs to know, then carry it out."""
        session = self.session
        if session is None or self._lacks(BY_NAME[name], session):
            return
        from backprop_tui.screens.asking import ASKING

        self.push_screen(ASKING[name](self.view_of(session)), self.change)

    def _lacks(self, command: Command, session: Session) -> bool:
        """Whether there is nothing that the command could do here; says why, and what instead."""
        missing = command.missing(session)
        if missing is not None:
            self.say(missing.sentence)
        return missing is not None

    def change(self, change: Change | None) -> None:
        """Change the session, unless there is nothing to change."""
        if change is not None and self.session is not None:
            self.session = change(self.session)

    def action_leave(self) -> None:
        """Let go of the selection; with none, go back to what was open before, or to the list."""
        if self.session is None:
            return
        if self.session.whatif.wanted is not None:
            self.session = changing.cancel(self.session)
        elif self.session.stops.search is not None:
            self.session = cancel(self.session)
        elif isinstance(self.screen, DebuggerScreen) and self.screen.shows_all_again():
            pass
        elif is_playing(self.session):
            self.session = pause(self.session)
        elif self.session.element is not None:
            self.session = lens.leave(self.session)
        elif self.session.selected is not None:
            self.session = do.release(self.session)
        elif self.session.outer is not None:
            self.session = step_out(self.session)
        elif not self.opening.go_back():
            self.session = do.release(self.session)

    def action_command_palette(self) -> None:
        """Open the palette, but not before a screen that is taken away when its work is done."""
        if not isinstance(self.screen, Palette | WorkingScreen):
            self.push_screen(Palette(id="--command-palette"))

    def search_themes(self) -> None:
        """Open the palette on the themes."""
        self.push_screen(Palette([ThemeProvider], placeholder="Search for themes…"))

    def action_help(self) -> None:
        """Show the help screen."""
        from backprop_tui.screens.help import HelpScreen

        focused = None if self.focused is None else self.focused.id
        topic = getattr(self.screen, "TOPIC", focused or "")
        self.push_screen(HelpScreen(self.glyphs, topic, self.settings.keymap, self.session))

    def action_inspect(self) -> None:
        """Look into the selected node; from a reference, lead to the full drawing."""
        session = self.session
        if session is None:
            return
        if session.outline.group(session.row) is not None:
            self.session = do.toggle_fold(do.select(session, session.row), session.row)
        elif session.outline.is_reference[session.row]:
            self.session = do.lead(session)
        else:
            from backprop_tui.screens.inspector import InspectorScreen

            self.session = session = do.select(session, session.row)
            self.push_screen(InspectorScreen(self.view_of(session)), self.change)

    def action_close_problem(self) -> None:
        """From a bad scenario, or from work that takes long, back to what there was, or out."""
        self.opening.give_up()

    def action_reload(self) -> None:
        """Read a bad scenario again."""
        self.pop_screen()
        self.opening.open(self.file.target)

    def action_read_again(self) -> None:
        """Show what is wrong with the file; where nothing is known to be, read it again."""
        if self.file.trouble is not None:
            self.push_screen(TroubleScreen(self.file.trouble, self.glyphs))
        else:
            self.file.read_again()

    def action_ask_again(self) -> None:
        """Ask the oracles that failed once more."""
        self.oracles.ask_again()
        self.yours.ask_again()

    def action_edit_source(self) -> None:
        """Open the file in the person's editor, and look at it at once afterwards."""
        if self.session is not None and not self._lacks(BY_NAME["edit_source"], self.session):
            self.file.edit(self.session, self.suspend)

    def exit(self, *arguments: Any, **options: Any) -> None:
        """Keep what is worth it, while the screen still stands, and leave."""
        self.opening.keep()
        super().exit(*arguments, **options)

    # Copying and saving

    def action_copy(self, name: str) -> None:
        """Copy what a command copies."""
        copies = BY_NAME[name].copies
        if self.session is None or copies is None or self._lacks(BY_NAME[name], self.session):
            return
        copied = copies(self.session)
        if copied.text:
            self.copy_to_clipboard("\n".join(map(printable, copied.text.split("\n"))))
        self.say(copied.notice)

    def action_save_picture(self) -> None:
        """Save the screen as an SVG in the current folder, once it is free of the palette."""
        self.call_after_refresh(self._save_picture)

    def _save_picture(self) -> None:
        if self.session is not None:
            title = printable(self.session.trace.heading.title) or self.TITLE
            self.say(saved(self.export_screenshot(title=title), self.session, Path.cwd()))

    # Mouse

    @on(GraphTree.Paged)
    def _set_page(self, event: GraphTree.Paged) -> None:
        # With the new size some panes have to bring the step into sight again.
        self.change(partial(do.with_page, rows=event.rows))
