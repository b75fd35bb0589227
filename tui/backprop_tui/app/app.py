"""The application: one session, commands that replace it, and the screens that draw it.

Screens are imported where they are opened, and all of them once the first frame is there: they
would take a tenth of the time until then.
"""

from __future__ import annotations

import gc
import os
import pkgutil
import sys
from collections.abc import Iterable
from concurrent.futures import Future, wait
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

from textual import on
from textual.app import App, SystemCommand
from textual.binding import Binding
from textual.driver import Driver
from textual.filter import LineFilter, Monochrome, NoColor
from textual.message import Message
from textual.screen import Screen
from textual.theme import ThemeProvider

from backprop_engine.trace import Trace
from backprop_tui import screens
from backprop_tui.app.oracle_desk import AsksSympy, AsksTorch, OracleApp
from backprop_tui.app.palette import CommandList, Palette
from backprop_tui.app.signals import end_in_order
from backprop_tui.commands.table import BY_NAME, Command
from backprop_tui.config.settings import Settings
from backprop_tui.memory.keeper import Keeper
from backprop_tui.opening.sessions import read_session
from backprop_tui.opening.soon import PATIENCE, begin
from backprop_tui.opening.targets import Refusal, Target
from backprop_tui.screens.debugger import DebuggerScreen
from backprop_tui.session import lens
from backprop_tui.session import session as do
from backprop_tui.session.moving.playing import is_playing, pause
from backprop_tui.session.session import Change, Session
from backprop_tui.session.stepping_in import step_out
from backprop_tui.session.stops.continuing import cancel
from backprop_tui.session.whatif import editing as changing
from backprop_tui.styles.themes import ADDED_THEMES
from backprop_tui.view.following import Following
from backprop_tui.view.glyphs import AsciiFilter, Glyphs, HarmlessFilter, glyphs_for
from backprop_tui.view.messages import Changed, ScenarioChosen
from backprop_tui.view.view import View
from backprop_tui.widgets.graph_tree import GraphTree
from backprop_tui.widgets.keys import hearing
from backprop_tui.widgets.timeline import Timeline

_SWITCH = 0.0005
"""Seconds that a thread may compute while the loop wants to; it wants to dozens of times a key."""


class DebuggerApp(OracleApp):
    """Opens a scenario file, a shorthand, or a folder's list of scenarios."""

    TITLE = "backprop-tui"
    CSS_PATH = "../styles/backprop.tcss"
    COMMANDS: ClassVar = App.COMMANDS | {CommandList}
    BINDINGS: ClassVar = [Binding("ctrl+q", "quit", "quit", show=False, priority=True)]

    @dataclass
    class Opened(Message):
        """A worker has read a scenario."""

        target: Target
        reading: Future[Session | Refusal]

    def __init__(
        self,
        target: Target,
        *,
        oracle: AsksTorch | None = None,
        symbolic: AsksSympy | None = None,
        glyphs: Glyphs | None = None,
        settings: Settings | None = None,
        keeper: Keeper | None = None,
        fresh: bool = False,
    ) -> None:
        self.settings = settings or Settings()
        super().__init__(oracle, symbolic, keeper, self.settings.limits, fresh=fresh)
        for theme in ADDED_THEMES:
            self.register_theme(theme)
        self.theme = self.settings.theme
        # Where TEXTUAL_THEME names it, it is no change, and would go by what Textual knew of it.
        self.stylesheet.set_variables(self.get_css_variables())
        self._target = target
        self.glyphs = glyphs_for(os.environ) if glyphs is None else glyphs
        self._ascii, self._harmless = AsciiFilter(), HarmlessFilter()
        self.opened_target: Target = target
        self.refusal: Refusal | None = None
        """Why the one scenario that the app was started for cannot be opened."""

    @property
    def _has_list(self) -> bool:
        return isinstance(self._target, Path) and self._target.is_dir()

    def get_line_filters(self) -> list[LineFilter]:
        """Textual's filters and ours; one more where the terminal has only ASCII.

        NO_COLOR means the terminal's own colours (no-color.org), and no grey in their place.
        """
        theirs = (
            NoColor() if isinstance(one, Monochrome) else one for one in super().get_line_filters()
        )
        filters: list[LineFilter] = [*theirs, self._harmless]
        return [*filters, self._ascii] if self.glyphs.is_ascii else filters

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """What of Textual's own commands belongs in the palette."""
        del screen
        yield SystemCommand(
            "theme", "Choose light, dark or another theme.", self.action_change_theme
        )

    # Opening

    def on_mount(self) -> None:
        """Show the list of a folder, or open what is no folder."""
        sys.setswitchinterval(_SWITCH)
        self.call_after_refresh(gc.enable)  # the command line has switched it off to start sooner
        if not self.is_headless:
            end_in_order(partial(self.exit, None))
        if isinstance(self._target, Path) and self._target.is_dir():
            from backprop_tui.screens.picker import PickerScreen

            self.push_screen(PickerScreen(self._target, self.glyphs))
        else:
            self.open(self._target)
        self.start_living()

    def on_unmount(self) -> None:
        """Let no thread wait for an oracle when the app ends."""
        self.close_oracles()
        gc.unfreeze()

    def get_driver_class(self) -> type[Driver]:
        """Textual's choice, but for a driver of ours in the place of that for Linux and macOS."""
        chosen = super().get_driver_class()
        if chosen.__name__ != "LinuxDriver":
            return chosen
        from backprop_tui.app.terminal import TerminalDriver

        return TerminalDriver

    def open(self, target: Target) -> None:
        """Read `target` and show it: before the first paint, where that is soon enough."""
        self.opened_target = target
        self.watch_file()
        reading = begin(partial(read_session, target))
        wait((reading,), PATIENCE)
        if reading.done():
            self._show_opened(reading.result())
        else:
            from backprop_tui.screens.reading import ReadingScreen

            name = target.heading.title if isinstance(target, Trace) else target.name
            self.push_screen(ReadingScreen(name))
            reading.add_done_callback(lambda _: self.post_message(self.Opened(target, reading)))

    @on(Opened)
    def _finish_opening(self, event: Opened) -> None:
        from backprop_tui.screens.reading import ReadingScreen

        screen = self.screen
        if isinstance(screen, ReadingScreen) and event.target == self.opened_target:
            self.pop_screen()
            self._show_opened(event.reading.result())
            if isinstance(self.screen, DebuggerScreen):
                self.call_after_refresh(self.type_again, screen.typed)

    def _show_opened(self, result: Session | Refusal) -> None:
        self.refusal = None
        if isinstance(result, Refusal):
            from backprop_tui.screens.problem import ProblemScreen

            if not self._has_list and not result.is_lesson:
                self.refusal = result
            self.push_screen(ProblemScreen(result, self.glyphs, has_list=self._has_list))
            return
        self.forget_findings()
        session, layout = self.recall(replace(result, rate=self.settings.rate))
        notice = session.notice or self.settings.notice or session.trace.heading.note
        session = replace(session, notice=notice)
        self.set_reactive(DebuggerApp.session, session)
        debugger = hearing(DebuggerScreen, "", self.settings.keymap)
        self.push_screen(debugger(self._view(session), layout))
        self.call_after_refresh(self._settle, session.trace)

    def _settle(self, trace: Trace) -> None:
        """The first frame is there: ask torch, and spare the collector what stays as it is."""
        # Else it walks libraries and traces every few hundred keys, and the screen stands still
        # for a tenth of a second and more.
        if gc.get_freeze_count():
            gc.unfreeze()
            gc.collect()  # what an earlier scenario has left
        gc.freeze()
        self.look_into(trace)
        self.run_worker(_import_screens, thread=True, group="importing")

    @on(ScenarioChosen)
    def _open_chosen(self, event: ScenarioChosen) -> None:
        self.open(event.path)

    # Showing

    def _view(self, session: Session) -> View:
        trace, known = session.trace, self._known
        return View(
            session,
            self.oracle_state,
            known.agreements.get(trace),
            self.glyphs,
            symbolic=self.symbolic_state,
            autopsy=known.autopsies.get(trace),
            is_examined=trace in known.autopsies,
            trouble="" if self.trouble is None else self.trouble.headline,
            keymap=self.settings.keymap,
        )

    def watch_session(self, old: Session | None, new: Session | None) -> None:
        """Draw every change of the session, and look for hits that are not known yet."""
        if old is not None and new is not None and old.trace is not new.trace:
            self.follow(new)
        self.draw()
        self.survey()
        self.look_on()
        self.keep_time()
        self.run_wanted()

    def redraw(self) -> None:
        """Draw the session in every screen that follows it."""
        for screen in self.screen_stack if self.is_running else ():
            if self.session is not None and isinstance(screen, Following):
                screen.show(self._view(self.session))

    @on(Changed)
    def _take_change(self, event: Changed) -> None:
        self._change(event.change)

    # Commands

    def action_command(self, name: str) -> None:
        """Run a command of the session."""
        command, session = BY_NAME[name], self.session
        if session is None or command.apply is None or self._lacks(command, session):
            return
        work = "" if command.takes_long is None else command.takes_long(session)
        if work:
            from backprop_tui.screens.working import WorkingScreen

            screen = WorkingScreen(self.glyphs.text(work), partial(command.apply, session))
            self.push_screen(screen, self._change)
        else:
            self.session = command.apply(session)

    def action_ask(self, name: str) -> None:
        """Ask what a command needs to know, then carry it out."""
        session = self.session
        if session is None or self._lacks(BY_NAME[name], session):
            return
        from backprop_tui.screens.asking import ASKING

        self.push_screen(ASKING[name](self._view(session)), self._change)

    def _lacks(self, command: Command, session: Session) -> bool:
        """Whether there is nothing that the command could do here; says why, and what instead."""
        missing = command.missing(session)
        if missing is not None:
            self.session = replace(session, notice=missing.sentence)
        return missing is not None

    def _change(self, change: Change | None) -> None:
        if change is not None and self.session is not None:
            self.session = change(self.session)

    def action_leave(self) -> None:
        """Let go of the selection; with none, go back to the list."""
        if self.session is None:
            return
        if self.session.whatif.wanted is not None:
            self.session = changing.cancel(self.session)
        elif self.session.stops.search is not None:
            self.session = cancel(self.session)
        elif isinstance(self.screen, DebuggerScreen) and self.screen.is_zoomed:
            self.screen.toggle_zoom()
        elif is_playing(self.session):
            self.session = pause(self.session)
        elif self.session.element is not None:
            self.session = lens.leave(self.session)
        elif self.session.selected is not None:
            self.session = do.release(self.session)
        elif self.session.outer is not None:
            self.session = step_out(self.session)
        elif self._has_list:
            self.keep()
            self.pop_screen()
            self.set_reactive(DebuggerApp.session, None)
        else:
            self.session = do.release(self.session)

    def action_command_palette(self) -> None:
        """Open the palette, but not before a screen that is taken away when its work is done."""
        is_open = isinstance(self.screen, Palette)
        if not is_open and not getattr(self.screen, "ENDS_BY_ITSELF", False):
            self.push_screen(Palette(id="--command-palette"))

    def search_themes(self) -> None:
        """Open the palette on the themes."""
        self.push_screen(Palette([ThemeProvider], placeholder="Search for themes…"))

    def action_help(self) -> None:
        """Show the help screen."""
        from backprop_tui.screens.help import HelpScreen

        focused = None if self.focused is None else self.focused.id
        topic = getattr(self.screen, "TOPIC", focused or "")
        self.push_screen(HelpScreen(self.glyphs, topic, self.settings.keymap))

    def action_inspect(self) -> None:
        """Look into the selected node; from a reference, lead to the full drawing."""
        session = self.session
        if session is None:
            return
        if session.outline.is_reference[session.row]:
            self.session = do.lead(session)
        else:
            from backprop_tui.screens.inspector import InspectorScreen

            self.session = session = do.select(session, session.row)
            self.push_screen(InspectorScreen(self._view(session)), self._change)

    def action_close_problem(self) -> None:
        """From a bad scenario, or one that is still read, back to the list, or out."""
        if self._has_list:
            self.pop_screen()
        else:
            self.exit()

    def action_reload(self) -> None:
        """Read a bad scenario again."""
        self.pop_screen()
        self.open(self.opened_target)

    def exit(self, *arguments: Any, **options: Any) -> None:
        """Keep what is worth it, while the screen still stands, and leave."""
        self.keep()
        super().exit(*arguments, **options)

    # Mouse

    @on(GraphTree.Clicked)
    def _click_row(self, event: GraphTree.Clicked) -> None:
        session = self.session
        if session is None:
            return
        if not event.on_mark:
            self.session = do.select(session, event.row)
        elif session.outline.is_reference[event.row]:
            self.session = do.lead(do.select(session, event.row))
        else:
            self.session = do.toggle_fold(session, event.row)

    @on(GraphTree.Paged)
    def _set_page(self, event: GraphTree.Paged) -> None:
        if self.session is not None:
            self.session = do.with_page(self.session, event.rows)

    @on(Timeline.Clicked)
    def _click_timeline(self, event: Timeline.Clicked) -> None:
        if self.session is not None:
            self.session = do.jump(self.session, event.cursor)


def _import_screens() -> None:
    """Those that open later, so that they open at once."""
    for module in pkgutil.iter_modules(screens.__path__, f"{screens.__name__}."):
        import_module(module.name)
