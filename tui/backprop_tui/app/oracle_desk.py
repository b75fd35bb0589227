"""The desk that asks torch and mathematics about every trace that is shown."""

from __future__ import annotations

from functools import partial
from typing import Protocol, TypeVar

from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.gc_pause import collector_paused
from backprop_engine.reading.autopsy.report import Autopsy, autopsy
from backprop_engine.trace import Missing, Trace
from backprop_tui.app.desk import Desk, Host, Timer
from backprop_tui.app.soon import GLANCE, Job
from backprop_tui.commands.keymap import DEFAULT_KEYMAP, Keymap
from backprop_tui.config.time_limits import TimeLimits
from backprop_tui.oracles.memory import give_back_memory
from backprop_tui.oracles.report import Failed, OracleState, Ready, Starting, TorchReport
from backprop_tui.oracles.sympy.report import NOT_ASKED, SymbolicAnswer, SymbolicState
from backprop_tui.oracles.torch.agreement import Agreement, agreement
from backprop_tui.session.session import Session
from backprop_tui.session.stepping_in import stack
from backprop_tui.view.fault import with_fault

Answer = TypeVar("Answer", covariant=True)

_PAUSE = 0.3
"""Seconds without a further edit after which the oracles are asked about one."""


class Asks(Protocol[Answer]):
    """What the desk wants of an oracle; see `backprop_tui.oracles.client`."""

    def ask(self, trace: Trace) -> Answer:
        """What it makes of `trace`; called in a thread."""

    def close(self) -> None:
        """End it; an `ask` under way returns."""


AsksTorch = Asks[Ready[TorchReport] | Failed]
AsksSympy = Asks[SymbolicAnswer]


@dataclass
class Findings:
    """What is known of one trace."""

    is_asked: bool = False
    torch: OracleState = Starting()
    agreement: Agreement | None = None
    symbolic: SymbolicState = NOT_ASKED
    is_examined: bool = False
    autopsy: Autopsy | Failed | None = None


class OracleDesk(Desk):
    """Keeps what was answered for as long as a trace is open: the scenario's and those inside."""

    def __init__(
        self,
        host: Host,
        torch: AsksTorch | Missing | None = None,
        sympy: AsksSympy | None = None,
        limits: TimeLimits | None = None,
        keymap: Keymap = DEFAULT_KEYMAP,
    ) -> None:
        super().__init__(host)
        self._keymap = keymap
        self._torch, self._sympy, self._limits = torch, sympy, limits or TimeLimits()
        self._known: dict[Trace, Findings] = {}
        self._shown: Trace | None = None
        self._later: Timer | None = None
        self._wants_formulas = False

    @property
    def findings(self) -> Findings:
        """What is known of the trace that is shown."""
        return Findings() if self._shown is None else self._known[self._shown]

    def close(self) -> None:
        """Let no thread wait for an oracle when the app ends."""
        for oracle in (self._torch, self._sympy):
            if oracle is not None and not isinstance(oracle, Missing):
                oracle.close()

    def begin(self, session: Session) -> None:
        """Another scenario, of which nothing is known; ask when its first frame is there."""
        self._known = {session.trace: Findings()}
        self._shown, self._wants_formulas = session.trace, False

    def follow(self, session: Session | None) -> None:
        """Ask about a trace that is shown for the first time; forget those that are closed."""
        if session is None:
            self._known, self._shown = {}, None
            return
        if session.trace is self._shown:
            return
        self._shown = trace = session.trace
        opened = _open_traces(session)
        self._known = {trace: known for trace, known in self._known.items() if trace in opened}
        known = self._known.setdefault(trace, Findings())
        if self._later is not None:
            self._later.stop()
        if not known.is_asked:
            # One who nudges on and on is not to be followed to every stop.
            look = partial(self.look_into, trace)
            if session.whatif.values:
                self._later = self._host.set_timer(_PAUSE, look)
            else:
                look()
        if self._wants_formulas:
            self.want_formulas()

    def look_into(self, trace: Trace) -> None:
        """Ask torch about `trace`, and look for inf and nan in it, each in a thread."""
        if trace not in self._known:
            return
        self._known[trace].is_asked = True
        self._ask_torch(trace)
        is_late = False

        def take(found: Autopsy | Failed | None) -> None:
            if trace in self._known:
                self._known[trace].autopsy, self._known[trace].is_examined = found, True
                session = self._host.session
                if isinstance(found, Autopsy) and trace is self._shown and session is not None:
                    self._host.session = with_fault(session, found, self._keymap)
                if found is not None or is_late:  # else nobody has seen that it was not known
                    self._host.redraw()

        def examine(_: Job) -> Autopsy | None:
            found = autopsy(trace)
            trace.named("")  # the first time it looks through all names, and no key is to wait
            return found

        is_late = not self._host.soon(
            ("The autopsy", trace), examine, take, failed=take, patience=GLANCE
        )

    def _ask_torch(self, trace: Trace) -> None:
        if isinstance(self._torch, Missing):
            self._take_torch(trace, (Failed.without(self._torch), None))
            return
        torch = self._torch

        def ask(_: Job) -> tuple[OracleState, Agreement | None]:
            nonlocal torch
            if torch is None:
                from backprop_tui.oracles.client import Oracle

                self._torch = torch = Oracle(time_limit=self._limits.torch)
            with collector_paused():  # as while recording: a report is large and has no cycles
                state = torch.ask(trace)
                agreed = None if isinstance(state, Failed) else agreement(trace, state.report)
            give_back_memory()
            return state, agreed

        take = partial(self._take_torch, trace)
        self._host.soon(
            ("Torch", trace), ask, take, failed=lambda failed: take((failed, None)), patience=0
        )

    def _take_torch(self, trace: Trace, answer: tuple[OracleState, Agreement | None]) -> None:
        if trace in self._known:
            self._known[trace].torch, self._known[trace].agreement = answer
            self._host.redraw()

    def want_formulas(self) -> None:
        """Ask for formulas, the first time that somebody looks."""
        trace, self._wants_formulas = self._shown, True
        if trace is None or self._known[trace].symbolic != NOT_ASKED:
            return
        if self._sympy is None:
            from backprop_tui.oracles.sympy.client import SymbolicOracle

            self._sympy = SymbolicOracle(with_texts=True, time_limit=self._limits.symbolic)
        sympy, take = self._sympy, partial(self._take_formulas, trace)
        take(Starting())
        self._host.soon(("Sympy", trace), lambda _: sympy.ask(trace), take, failed=take, patience=0)

    def _take_formulas(self, trace: Trace, state: SymbolicState) -> None:
        if trace in self._known:
            self._known[trace].symbolic = state
            self._host.redraw()

    def ask_again(self) -> None:
        """Ask the oracles that failed once more; others have nothing more to say."""
        trace, known = self._shown, self.findings
        if trace is not None and isinstance(known.torch, Failed):
            known.torch = Starting()
            self._host.redraw()
            self._ask_torch(trace)
        if isinstance(known.symbolic, Failed):
            known.symbolic = NOT_ASKED
            self.want_formulas()


def _open_traces(session: Session) -> set[Trace]:
    """The trace that is shown, those around it, and what they are with the scenario's values."""
    around = stack(session)
    originals = (session.whatif.original for session in around)
    return {session.trace for session in around} | {
        original for original in originals if original is not None
    }
