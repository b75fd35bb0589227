"""What panes draw: one frozen picture of everything that can change. And who follows it."""

from __future__ import annotations

from abc import abstractmethod
from bisect import bisect_left
from typing import Final

from backprop_engine.basics.dataclass import dataclass
from backprop_engine.checking.compare import Comparison
from backprop_engine.reading.autopsy.flow import Event
from backprop_engine.reading.autopsy.report import Autopsy
from backprop_engine.trace import Missing
from backprop_tui.commands.keymap import DEFAULT_KEYMAP, Keymap
from backprop_tui.oracles.report import Failed, OracleState, Starting
from backprop_tui.oracles.sympy.report import NOT_ASKED, SymbolicState
from backprop_tui.oracles.torch.agreement import Agreement
from backprop_tui.oracles.yours.finding import Finding
from backprop_tui.session.session import Session
from backprop_tui.view.glyphs import Glyphs


@dataclass(frozen=True, eq=False)
class View:
    """A session and what the oracles say about its trace."""

    session: Session
    oracle: OracleState
    agreement: Agreement | None
    """Torch's report compared with the trace; None until the oracle is ready."""
    glyphs: Glyphs
    symbolic: SymbolicState = NOT_ASKED
    autopsy: Autopsy | Failed | None = None
    """Where the trace's first nan or inf came from; None where all is finite, or not yet known."""
    is_examined: bool = True
    """Whether it is known."""
    trouble: str = ""
    """What is wrong with the file as it is now, in one line; empty where nothing is."""
    keymap: Keymap = DEFAULT_KEYMAP
    yours: Finding | Starting | Failed | None = None
    """What is found in the learner's file; None where none is named."""

    @property
    def is_closed(self) -> bool:
        """Whether what may tell ahead is not shown, as steps are asked first."""
        return self.session.predicting is not None

    def say(self, text: str) -> str:
        """A text that holds names of the scenario, in signs this terminal has."""
        return self.glyphs.say(text)

    @property
    def is_waiting(self) -> bool:
        """Whether torch has still to answer."""
        return isinstance(self.oracle, Starting)

    @property
    def fault(self) -> Autopsy | None:
        """The first nan or inf that does harm; None where there is none, or it is not yet known."""
        return self.autopsy if isinstance(self.autopsy, Autopsy) else None

    def is_value_spoilt(self, node: int) -> bool:
        """Whether the value of `node` is one of the nan and inf of a run in which they do harm."""
        return self.fault is not None and Event(node) in self.fault.events

    def is_gradient_spoilt(self, node: int, cursor: int | None = None) -> bool:
        """The same of its gradient as of `cursor`, by default the session's."""
        if self.fault is None:
            return False
        receipts = self.session.trace.receipts(node)
        at = bisect_left(receipts, self.session.cursor if cursor is None else cursor) - 1
        return at >= 0 and Event(node, receipts[at]) in self.fault.events

    def remedy(self, failed: Failed) -> str:
        """What a person can do about it, the key that asks again among it."""
        key = "" if failed.is_final else self.keymap.key("ask_again")
        return f"{failed.remedy} {key} asks again." if key else failed.remedy

    def mark(self, comparison: Comparison | None) -> str:
        """✓, ≟, ✗ or … for a comparison; blank where there is nothing to compare."""
        if self.is_waiting:
            return self.glyphs.waiting
        if comparison is None:
            return ""
        if comparison.is_open:
            return self.glyphs.open
        return self.glyphs.agrees if comparison.agrees else self.glyphs.disagrees


CLOSED: Final = Missing("closed while steps are asked", "x ends the questions")
"""What is said in the place of what would tell."""


class Following:
    """A screen or a widget that is drawn again with every change of the session."""

    @abstractmethod
    def show(self, view: View) -> None:
        """Draw `view` in the place of the last one."""
