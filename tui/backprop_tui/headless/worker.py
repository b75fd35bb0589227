"""A process that checks scenarios for `check`: one target a request, its outcome the reply.

Torch is the parent's, one for all: before its reply a worker may ask for what torch makes of a
trace. How to check and to print is the last word of its command line.
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

from backprop_engine.basics.source import Source
from backprop_tui.config.time_limits import TimeLimits
from backprop_tui.headless.check import check_scenario
from backprop_tui.headless.outcome import outcome_of
from backprop_tui.headless.printer import Printer
from backprop_tui.oracles.client import TORCH, Oracle
from backprop_tui.oracles.messages import NO_MESSAGE, Message, packed
from backprop_tui.oracles.process import Answer, Child
from backprop_tui.oracles.report import Failed
from backprop_tui.oracles.serving import Parent, run
from backprop_tui.oracles.sympy.client import SymbolicOracle


class ParentsChild(Child):
    """The parent's torch process, by way of the parent."""

    def __init__(self, parent: Parent) -> None:
        super().__init__(TORCH)
        self._parent = parent

    def ask(
        self, message: Message, decode: Callable[[Message], Answer], seconds: float | None = None
    ) -> Answer | Failed:
        """What `decode` makes of torch's reply; the parent knows how long it may take."""
        del seconds
        told = self._parent.ask({"ask": message})
        if "failed" in told:
            return Failed(*told["failed"])
        try:
            return TORCH.answer_to(told, decode)
        except NO_MESSAGE:
            return TORCH.no_answer(packed(told))


def main() -> None:
    """Check what the parent asks for."""
    how = json.loads(sys.argv[-1])
    out = Printer(stream=io.StringIO(), **how["printer"])
    limits = TimeLimits(**how["limits"])
    parent = Parent()
    torch = Oracle(child=ParentsChild(parent)) if how["torch"] else None
    sympy = SymbolicOracle(time_limit=limits.symbolic) if how["symbolic"] else nullcontext()

    def answer(told: Message) -> dict[str, Any]:
        target = told["path"] if "path" in told else Source(told["name"], told["text"])
        result = check_scenario(target, torch, formulas, seconds=limits.finite_difference)
        return outcome_of(result, replace(out), json=how["json"]).as_json()

    with sympy as formulas:
        run(answer, parent)


if __name__ == "__main__":
    main()
