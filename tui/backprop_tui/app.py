"""The application: one session, commands that replace it, and the screens that draw it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar, Protocol

from textual import on
from textual.app import App, SystemCommand
from textual.binding import Binding
from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.filter import LineFilter
from textual.message import Message
from textual.reactive import reactive
from textual.screen import Screen
from textual.worker import get_current_worker

from backprop_engine.autopsy.report import Autopsy, autopsy
from backprop_engine.collector import collector_paused
from backprop_engine.source import Source
from backprop_engine.trace import Trace
from backprop_tui import session as do
from backprop_tui.commands import BY_NAME, COMMANDS, key_name
from backprop_tui.findings import Findings
from backprop_tui.glyphs import AsciiFilter, Glyphs, glyphs_for
from backprop_tui.inside import stack, step_out
from backprop_tui.messages import Changed
from backprop_tui.opening import SMALL, Refusal, Target, open_target, size_of
from backprop_tui.oracle.agreement import Agreement, agreement
from backprop_tui.oracle.client import Oracle
from backprop_tui.oracle.report import Failed, OracleState, Ready, Starting, TorchReport
from backprop_tui.oracle.symbolic.client import SymbolicOracle
from backprop_tui.oracle.symbolic.report import NOT_ASKED, NotAsked, SymbolicAnswer, SymbolicState
from backprop_tui.screens.asking import ASKING
from backprop_tui.screens.breakpoint_list import BreakpointList
from backprop_tui.screens.debugger import DebuggerScreen
from backprop_tui.screens.help import HelpScreen
from backprop_tui.screens.picker import PickerScreen
from backprop_tui.screens.problem import ProblemScreen
from backprop_tui.screens.reading import ReadingScreen
from backprop_tui.screens.working import WorkingScreen
from backprop_tui.session import Change, Session, open_session
from backprop_tui.stops.continuing import cancel, is_surveyed, learn, surveys
from backprop_tui.stops.scan import Scan
from backprop_tui.stops.state import Key, Stop
from backprop_tui.styles.themes import BLACKBOARD, DEFAULT_THEME, WHITEBOARD
from backprop_tui.view import View
from backprop_tui.widgets.bars import KeyBar
from backprop_tui.widgets.graph_tree import GraphTree
from backprop_tui.widgets.timeline import Timeline


class AsksTorch(Protocol):
    """What the app wants of an oracle; see `backprop_tui.oracle.client.Oracle`."""

    def ask(self, trace: Trace) -> Ready[TorchReport] | Failed:
        """What torch makes of `trace`; called in a thread."""

    def close(self) -> None:
        """End it; an `ask` under way returns."""


class AsksSympy(Protocol):
    """The same of the symbolic oracle; see `backprop_tui.oracle.symbolic.client`."""

    def ask(self, trace: Trace) -> SymbolicAnswer:
        """What mathematics says about `trace`; called in a thread."""

    def close(self) -> None:
        """End it; an `ask` under way returns."""


class CommandList(Provider):
    """The table of commands, for the palette."""

    async def discover(self) -> Hits:
        """All commands, before anything is typed."""
        for title, text, action in self._entries():
            yield DiscoveryHit(title, partial(self.app.run_action, action), help=text)

    async def search(self, query: str) -> Hits:
        """The commands whose titles match `query`."""
        matcher = self.matcher(query)
        for title, text, action in self._entries():
            score = matcher.match(title)
            if score > 0:
                run = partial(self.app.run_action, action)
                yield Hit(score, matcher.highlight(title), run, help=text)

    def _entries(self) -> Iterable[tuple[str, str, str]]:
        if not isinstance(self.screen, DebuggerScreen):
            return
        for command in COMMANDS:
            keys = ", ".join(key_name(key) for key in command.keys)
            if command.name != "command_palette":
                title = f"{command.title}  ({keys})" if keys else command.title
                yield title, command.help, command.action


class DebuggerApp(App[None]):
    """Opens a scenario file, a shorthand, or a folder's list of scenarios."""

    TITLE = "backprop-tui"
    CSS_PATH = "styles/backprop.tcss"
    COMMANDS: ClassVar = App.COMMANDS | {CommandList}
    BINDINGS: ClassVar = [Binding("ctrl+q", "quit", "quit", show=False, priority=True)]

    session: reactive[Session | None] = reactive[Session | None](None)
    oracle_state: reactive[OracleState] = reactive[OracleState](Starting())
    symbolic_state: reactive[SymbolicState] = reactive[SymbolicState](NOT_ASKED)

    @dataclass
    class Opened(Message):
        """A worker has read a scenario."""

        target: Target
        result: Session | Refusal

    @dataclass
    class OracleAnswered(Message):
        """A worker has torch's answer for `trace`."""

        trace: Trace
        state: Ready[TorchReport] | Failed
        agreement: Agreement | None

    @dataclass
    class Examined(Message):
        """A worker has looked for inf and nan in `trace`."""

        trace: Trace
        autopsy: Autopsy | None

    @dataclass
    class Surveyed(Message):
        """A worker has looked on for hits of breakpoints and watches."""

        trace: Trace
        scans: Mapping[Key, Scan]

    @dataclass
    class SymbolicAnswered(Message):
        """A worker has the formulas of `trace`."""

        trace: Trace
        state: SymbolicAnswer

    def __init__(
        self,
        target: Target,
        *,
        oracle: AsksTorch | None = None,
        symbolic: AsksSympy | None = None,
        glyphs: Glyphs | None = None,
    ) -> None:
        super().__init__()
        for theme in (BLACKBOARD, WHITEBOARD):
            self.register_theme(theme)
        if "TEXTUAL_THEME" not in os.environ:
            self.theme = DEFAULT_THEME
        self._target = target
        self._oracle: AsksTorch = Oracle() if oracle is None else oracle
        self._symbolic: AsksSympy = (
            SymbolicOracle(with_texts=True) if symbolic is None else symbolic
        )
        self.glyphs = glyphs_for(os.environ) if glyphs is None else glyphs
        self._ascii = AsciiFilter()
        self._known = Findings()
        self._opened: Target = target
        self._survey_asked: tuple[Trace, tuple[Stop, ...]] | None = None
        self.refusal: Refusal | None = None
        """Why the one scenario that the app was started for cannot be opened."""

    @property
    def _has_list(self) -> bool:
        return isinstance(self._target, Path) and self._target.is_dir()

    def get_line_filters(self) -> list[LineFilter]:
        """Textual's filters, and ours where the terminal has only ASCII."""
        filters = list(super().get_line_filters())
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
        if isinstance(self._target, Path) and self._target.is_dir():
            self.push_screen(PickerScreen(self._target, self.glyphs))
        else:
            self.open(self._target)

    def on_unmount(self) -> None:
        """Let no thread wait for an oracle when the app ends."""
        self._oracle.close()
        self._symbolic.close()

    def open(self, target: Target) -> None:
        """Read `target`, a long one in a thread, and show it."""
        self._opened = target
        if size_of(target) <= SMALL:
            # Before the first paint, so that nothing flickers.
            self._show_opened(_open(target))
            return
        self.push_screen(ReadingScreen(target.name if isinstance(target, Source) else str(target)))
        self.run_worker(
            lambda: self.post_message(self.Opened(target, _open(target))),
            thread=True,
            group="opening",
            exclusive=True,
        )

    @on(Opened)
    def _finish_opening(self, event: Opened) -> None:
        if isinstance(self.screen, ReadingScreen) and event.target == self._opened:
            self.pop_screen()
            self._show_opened(event.result)

    def _show_opened(self, result: Session | Refusal) -> None:
        self.refusal = None
        if isinstance(result, Refusal):
            if not self._has_list and not result.is_lesson:
                self.refusal = result
            self.push_screen(ProblemScreen(result, self.glyphs, has_list=self._has_list))
            return
        self._known = Findings()
        self.set_reactive(DebuggerApp.oracle_state, Starting())
        self.set_reactive(DebuggerApp.symbolic_state, NOT_ASKED)
        self.set_reactive(DebuggerApp.session, result)
        self.push_screen(DebuggerScreen(self._view(result)))
        self.call_after_refresh(self._look_into, result.trace)

    @on(PickerScreen.Chosen)
    def _open_chosen(self, event: PickerScreen.Chosen) -> None:
        self.open(event.path)

    # Oracles

    def _look_into(self, trace: Trace) -> None:
        """Ask torch about `trace`, and look for inf and nan in it, each in a thread."""
        self._known.asked.add(trace)
        self.run_worker(partial(self._ask, trace), thread=True, group="oracle", exit_on_error=True)
        self.run_worker(partial(self._examine, trace), thread=True, group="autopsy")

    def _ask(self, trace: Trace) -> None:
        state = self._oracle.ask(trace)
        agreed = agreement(trace, state.report) if isinstance(state, Ready) else None
        self.post_message(self.OracleAnswered(trace, state, agreed))

    def _examine(self, trace: Trace) -> None:
        self.post_message(self.Examined(trace, autopsy(trace)))

    def _is_open(self, trace: Trace) -> bool:
        return self.session is not None and any(trace is one.trace for one in stack(self.session))

    @on(OracleAnswered)
    def _take_answer(self, event: OracleAnswered) -> None:
        if self.session is None or not self._is_open(event.trace):
            return
        self._known.torch[event.trace] = event.state
        self._known.agreements[event.trace] = event.agreement
        if event.trace is self.session.trace:
            self.oracle_state = event.state

    @on(Examined)
    def _take_autopsy(self, event: Examined) -> None:
        if self._is_open(event.trace):
            self._known.autopsies[event.trace] = event.autopsy
            self._show()

    @on(DebuggerScreen.FormulasWanted)
    def _start_symbolic(self) -> None:
        """Ask for formulas, the first time that somebody looks."""
        if self.session is not None and isinstance(self.symbolic_state, NotAsked):
            self.symbolic_state = self._known.formulas[self.session.trace] = Starting()
            ask = partial(self._ask_symbolic, self.session.trace)
            self.run_worker(ask, thread=True, group="symbolic", exit_on_error=True)

    def _ask_symbolic(self, trace: Trace) -> None:
        self.post_message(self.SymbolicAnswered(trace, self._symbolic.ask(trace)))

    @on(SymbolicAnswered)
    def _take_formulas(self, event: SymbolicAnswered) -> None:
        if self.session is None or not self._is_open(event.trace):
            return
        self._known.formulas[event.trace] = event.state
        if event.trace is self.session.trace:
            self.symbolic_state = event.state

    def _follow(self, session: Session) -> None:
        """Another trace is shown: what is known of it, or soon will be."""
        trace, known = session.trace, self._known
        known.keep({one.trace for one in stack(session)})
        wants_formulas = not isinstance(self.symbolic_state, NotAsked)
        self.set_reactive(DebuggerApp.oracle_state, known.torch.get(trace, Starting()))
        self.set_reactive(DebuggerApp.symbolic_state, known.formulas.get(trace, NOT_ASKED))
        if trace not in known.asked:
            self._look_into(trace)
        if wants_formulas:
            self._start_symbolic()

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
        )

    def watch_session(self, old: Session | None, new: Session | None) -> None:
        """Draw every change of the session, and look for hits that are not known yet."""
        if old is not None and new is not None and old.trace is not new.trace:
            self._follow(new)
        self._show()
        self._survey()

    def watch_oracle_state(self) -> None:
        """Draw torch's answer."""
        self._show()

    def watch_symbolic_state(self) -> None:
        """Draw the formulas."""
        self._show()

    def _show(self) -> None:
        for screen in self.screen_stack if self.is_running else ():
            if self.session is not None and isinstance(screen, DebuggerScreen | BreakpointList):
                screen.show(self._view(self.session))

    # Breakpoints

    def _survey(self) -> None:
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
        worker = get_current_worker()
        for scans in surveys(session):
            if worker.is_cancelled:
                return
            self.post_message(self.Surveyed(session.trace, scans))

    @on(Surveyed)
    def _learn(self, event: Surveyed) -> None:
        if self.session is not None and event.trace is self.session.trace:
            self.session = learn(self.session, event.scans)

    @on(Changed)
    def _take_change(self, event: Changed) -> None:
        self._change(event.change)

    # Commands

    def action_command(self, name: str) -> None:
        """Run a command of the session."""
        command, session = BY_NAME[name], self.session
        if session is None or command.apply is None:
            return
        work = "" if command.takes_long is None else command.takes_long(session)
        if work:
            screen = WorkingScreen(self.glyphs.text(work), partial(command.apply, session))
            self.push_screen(screen, self._change)
        else:
            self.session = command.apply(session)

    def action_ask(self, name: str) -> None:
        """Ask what a command needs to know, then carry it out."""
        if self.session is not None:
            self.push_screen(ASKING[name](self._view(self.session)), self._change)

    def _change(self, change: Change | None) -> None:
        if change is not None and self.session is not None:
            self.session = change(self.session)

    def action_next_pane(self) -> None:
        """Focus the next pane."""
        if isinstance(self.screen, DebuggerScreen):
            self.screen.turn(1)

    def action_previous_pane(self) -> None:
        """Focus the pane before."""
        if isinstance(self.screen, DebuggerScreen):
            self.screen.turn(-1)

    def action_leave(self) -> None:
        """Let go of the selection; with none, go back to the list."""
        if self.session is None:
            return
        if self.session.stops.search is not None:
            self.session = cancel(self.session)
        elif self.session.selected is not None:
            self.session = do.release(self.session)
        elif self.session.outer is not None:
            self.session = step_out(self.session)
        elif self._has_list:
            self.pop_screen()
            self.set_reactive(DebuggerApp.session, None)

    def action_help(self) -> None:
        """Show the help screen."""
        self.push_screen(HelpScreen(self.glyphs))

    def action_close_problem(self) -> None:
        """From a bad scenario back to the list, or out."""
        if self._has_list:
            self.pop_screen()
        else:
            self.exit()

    def action_reload(self) -> None:
        """Read a bad scenario again."""
        self.pop_screen()
        self.open(self._opened)

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

    @on(KeyBar.Chosen)
    async def _click_key(self, event: KeyBar.Chosen) -> None:
        await self.run_action(BY_NAME[event.command].action)


def _open(target: Target) -> Session | Refusal:
    with collector_paused():
        opened = open_target(target)
        return opened if isinstance(opened, Refusal) else open_session(opened)
