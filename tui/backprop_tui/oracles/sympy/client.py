"""The symbolic oracle from our side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from backprop_engine.trace import Trace
from backprop_tui.oracles.client import Client
from backprop_tui.oracles.limits import SYMBOLIC_SECONDS
from backprop_tui.oracles.process import Child, Role
from backprop_tui.oracles.report import Failed
from backprop_tui.oracles.sympy.protocol import (
    Texts,
    decode_symbolic,
    encode_symbolic,
    not_applicable,
)
from backprop_tui.oracles.sympy.report import SymbolicAnswer, SymbolicReport

SYMPY = Role(
    name="sympy",
    module="backprop_tui.oracles.sympy.child",
    remedy="Everything else works without sympy.",
    install="Install sympy in this environment (`pip install sympy`), or go on without it.",
)


class SymbolicOracle(Client[SymbolicReport]):
    """Sympy, in a child process that starts with the first trace it can say anything about."""

    def __init__(
        self,
        *,
        with_texts: bool = False,
        time_limit: float = SYMBOLIC_SECONDS,
        command: Sequence[str] = (),
        child: Child | None = None,
    ) -> None:
        """With `with_texts`, expressions are written down, and simplified where time allows."""
        super().__init__(SYMPY, decode_symbolic, child or Child(SYMPY, command), time_limit)
        self._texts: tuple[Texts, ...] = ("simplified", "plain") if with_texts else ("none",)

    def ask(self, trace: Trace) -> SymbolicAnswer:
        """What mathematics says about `trace`. Blocking; never raises for the child's faults."""
        refusal = not_applicable(trace)
        if refusal is not None:
            return refusal
        for texts in self._texts:
            answer = self.about(trace, partial(encode_symbolic, texts=texts))
            if not isinstance(answer, Failed) or not answer.is_late:
                return answer
            late = answer
        # No fault of the installation, and the next question gets a new process.
        reason = f"This is too much mathematics: {late.reason[0].lower()}{late.reason[1:]}"
        return replace(late, reason=reason)
