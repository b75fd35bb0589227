"""The symbolic oracle from our side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from types import TracebackType
from typing import Self

from backprop_engine.trace import Trace
from backprop_tui.oracles.client import Client, Subject
from backprop_tui.oracles.limits import SYMBOLIC_SECONDS
from backprop_tui.oracles.report import Failed
from backprop_tui.oracles.sympy.protocol import (
    Texts,
    decode_symbolic,
    encode_symbolic,
    not_applicable,
)
from backprop_tui.oracles.sympy.report import SymbolicAnswer, SymbolicReport


def _subject(texts: Texts) -> Subject[SymbolicReport]:
    return Subject(
        name="sympy",
        module="backprop_tui.oracles.sympy.child",
        install="Install sympy in this environment (`pip install sympy`), or go on without it.",
        encode=partial(encode_symbolic, texts=texts),
        decode=decode_symbolic,
    )


FIGURES = _subject("none")
WRITTEN = (_subject("simplified"), _subject("plain"))
"""The second is asked where the first takes too long."""
CHILD = FIGURES.command


class SymbolicOracle:
    """Sympy, in a child process that starts with the first trace it can say anything about."""

    def __init__(
        self,
        *,
        with_texts: bool = False,
        time_limit: float = SYMBOLIC_SECONDS,
        command: Sequence[str] = CHILD,
    ) -> None:
        """With `with_texts`, expressions are written down, and simplified where time allows."""
        subjects = WRITTEN if with_texts else (FIGURES,)
        self._clients = [Client(one, time_limit=time_limit, command=command) for one in subjects]

    def ask(self, trace: Trace) -> SymbolicAnswer:
        """What mathematics says about `trace`. Blocking; never raises for the child's faults."""
        refusal = not_applicable(trace)
        if refusal is not None:
            return refusal
        for client in self._clients:
            answer = client.ask(trace)
            if isinstance(answer, Failed) and answer.is_late:
                late = answer
            else:
                return answer
        # No fault of the installation, and the next question gets a new process.
        reason = f"This is too much mathematics: {late.reason[0].lower()}{late.reason[1:]}"
        return replace(late, reason=reason)

    def close(self) -> None:
        """End the child; an `ask` under way in another thread returns Failed."""
        for client in self._clients:
            client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
