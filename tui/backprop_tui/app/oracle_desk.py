"""The part of the app that asks torch and mathematics about every trace that is shown."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from textual import on
from textual.message import Message
from textual.reactive import reactive
from textual.timer import Timer

from backprop_engine.basics.gc_pause import collector_paused
from backprop_engine.reading.autopsy.report import Autopsy, autopsy
from backprop_engine.trace import Trace
from backprop_tui.app.file_and_memory import LivingApp
from backprop_tui.app.findings import Findings
from backprop_tui.config.time_limits import TimeLimits
from backprop_tui.memory.keeper import Keeper
from backprop_tui.opening.soon import begin
from backprop_tui.oracles.answering import answer_of
from backprop_tui.oracles.memory import give_back_memory
from backprop_tui.oracles.report import Failed, OracleState, Ready, Starting, TorchReport
from backprop_tui.oracles.sympy.report import NOT_ASKED, NotAsked, SymbolicAnswer, SymbolicState
from backprop_tui.oracles.torch.agreement import Agreement, agreement
from backprop_tui.screens.debugger import DebuggerScreen
from backprop_tui.session.session import Session
from backprop_tui.session.stepping_in import stack

_PAUSE = 0.3
"""Seconds without a further edit after which the oracles are asked about one."""


class AsksTorch(Protocol):
    """What the app wants of an oracle; see `backprop_tui.oracles.client.Oracle`."""

    def ask(self, trace: Trace) -> Ready[TorchReport] | Failed:
        """What torch makes of `trace`; called in a thread."""

    def close(self) -> None:
        """End it; an `ask` under way returns."""


class AsksSympy(Protocol):
    """The same of the symbolic oracle; see `backprop_tui.oracles.sympy.client`."""

    def ask(self, trace: Trace) -> SymbolicAnswer:
        """What mathematics says about `trace`; called in a thread."""

    def close(self) -> None:
        """End it; an `ask` under way returns."""


class OracleApp(LivingApp):
    """Asks in threads, and keeps what was answered for as long as the trace is open."""

    oracle_state: reactive[OracleState] = reactive[OracleState](Starting(), repaint=False)
    symbolic_state: reactive[SymbolicState] = reactive[SymbolicState](NOT_ASKED, repaint=False)

    @dataclass
    class OracleAnswered(Message):
        """A worker has torch's answer for `trace`."""

        trace: Trace
        state: Ready[TorchReport] | Failed
        agreement: Agreement | None

    @dataclass
    class Examined(Message):
        """A thread has looked for inf and nan in `trace`."""

        trace: Trace
        found: Future[Autopsy | Failed | None]

    @dataclass
    class SymbolicAnswered(Message):
        """A worker has the formulas of `trace`."""

        trace: Trace
        state: SymbolicAnswer

    def __init__(
        self,
        oracle: AsksTorch | None,
        symbolic: AsksSympy | None,
        keeper: Keeper | None,
        limits: TimeLimits,
        *,
        fresh: bool,
    ) -> None:
        super().__init__(keeper, fresh=fresh)
        self._oracle = oracle
        self._symbolic = symbolic
        self._limits = limits
        self._known = Findings()
        self._soon: Timer | None = None

    def close_oracles(self) -> None:
        """Let no thread wait for an oracle when the app ends."""
        for oracle in (self._oracle, self._symbolic):
            if oracle is not None:
                oracle.close()

    def forget_findings(self) -> None:
        """Begin with another scenario, of which nothing is known."""
        self._known = Findings()
        self.set_reactive(OracleApp.oracle_state, Starting())
        self.set_reactive(OracleApp.symbolic_state, NOT_ASKED)

    def look_into(self, trace: Trace) -> None:
        """Ask torch about `trace`, and look for inf and nan in it, each in a thread."""
        self._known.asked.add(trace)
        self._ask_torch(trace)
        self._examine(trace)

    def _ask_torch(self, trace: Trace) -> None:
        if self._oracle is None:
            from backprop_tui.oracles.client import Oracle

            self._oracle = Oracle(time_limit=self._limits.torch)
        ask = partial(self._ask, self._oracle, trace)
        self.run_worker(ask, thread=True, group="oracle", exit_on_error=True)

    def _ask(self, oracle: AsksTorch, trace: Trace) -> None:
        with collector_paused():  # as while recording: a report is large and has no cycles
            compared = answer_of("Torch", partial(_compared, oracle, trace))
        give_back_memory()
        state, agreed = (compared, None) if isinstance(compared, Failed) else compared
        self.post_message(self.OracleAnswered(trace, state, agreed))

    def _examine(self, trace: Trace) -> None:
        # Of a large graph it takes long, and who quits is not to wait for it.
        found = begin(partial(answer_of, "The autopsy", partial(autopsy, trace)))
        found.add_done_callback(lambda _: self.post_message(self.Examined(trace, found)))

    def _is_open(self, trace: Trace) -> bool:
        return self.session is not None and trace in _open_traces(self.session)

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
        found = event.found.result()
        if self._is_open(event.trace):
            self._known.autopsies[event.trace] = found
            self.redraw()

    @on(DebuggerScreen.FormulasWanted)
    def _start_symbolic(self) -> None:
        """Ask for formulas, the first time that somebody looks."""
        if self.session is not None and isinstance(self.symbolic_state, NotAsked):
            if self._symbolic is None:
                from backprop_tui.oracles.sympy.client import SymbolicOracle

                self._symbolic = SymbolicOracle(with_texts=True, time_limit=self._limits.symbolic)
            self.symbolic_state = self._known.formulas[self.session.trace] = Starting()
            ask = partial(self._ask_symbolic, self._symbolic, self.session.trace)
            self.run_worker(ask, thread=True, group="symbolic", exit_on_error=True)

    def action_ask_again(self) -> None:
        """Ask the oracles that failed once more; others have nothing more to say."""
        if self.session is None:
            return
        trace = self.session.trace
        if isinstance(self.oracle_state, Failed):
            self._known.torch.pop(trace, None)
            self.oracle_state = Starting()
            self._ask_torch(trace)
        if isinstance(self.symbolic_state, Failed):
            self.symbolic_state = NOT_ASKED
            self._start_symbolic()

    def _ask_symbolic(self, oracle: AsksSympy, trace: Trace) -> None:
        state = answer_of("Sympy", partial(oracle.ask, trace))
        self.post_message(self.SymbolicAnswered(trace, state))

    @on(SymbolicAnswered)
    def _take_formulas(self, event: SymbolicAnswered) -> None:
        if self.session is None or not self._is_open(event.trace):
            return
        self._known.formulas[event.trace] = event.state
        if event.trace is self.session.trace:
            self.symbolic_state = event.state

    def follow(self, session: Session) -> None:
        """Another trace is shown: what is known of it, or soon will be."""
        trace, known = session.trace, self._known
        known.keep(_open_traces(session))
        wants_formulas = not isinstance(self.symbolic_state, NotAsked)
        self.set_reactive(OracleApp.oracle_state, known.torch.get(trace, Starting()))
        self.set_reactive(OracleApp.symbolic_state, known.formulas.get(trace, NOT_ASKED))
        if self._soon is not None:
            self._soon.stop()
        if trace not in known.asked:
            # One who nudges on and on is not to be followed to every stop.
            pause = _PAUSE if session.whatif.values else 0
            self._soon = self.set_timer(pause, partial(self.look_into, trace)) if pause else None
            if not pause:
                self.look_into(trace)
        if wants_formulas:
            self._start_symbolic()

    def watch_oracle_state(self) -> None:
        """Draw torch's answer."""
        self.redraw()

    def watch_symbolic_state(self) -> None:
        """Draw the formulas."""
        self.redraw()


def _compared(oracle: AsksTorch, trace: Trace) -> tuple[Ready[TorchReport], Agreement] | Failed:
    state = oracle.ask(trace)
    return state if isinstance(state, Failed) else (state, agreement(trace, state.report))


def _open_traces(session: Session) -> set[Trace]:
    """The trace that is shown, those around it, and what they are with the scenario's values."""
    around = stack(session)
    originals = (one.whatif.original for one in around)
    return {one.trace for one in around} | {one for one in originals if one is not None}
