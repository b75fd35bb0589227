"""A process that checks scenarios for `check`: one target a request, its outcome the reply.

Torch is the parent's, one for all: before its reply a worker may ask, on a line of its own, for
what torch makes of a trace.
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from dataclasses import replace
from typing import IO, Any

from backprop_engine.basics.source import Source
from backprop_engine.trace import Trace
from backprop_tui.config.time_limits import TimeLimits
from backprop_tui.headless.check import check_scenario
from backprop_tui.headless.outcome import outcome_of
from backprop_tui.headless.printer import Printer
from backprop_tui.oracles.client import TORCH, answer_in, no_answer, too_large
from backprop_tui.oracles.report import Failed, Ready, TorchReport
from backprop_tui.oracles.serving import (
    live_no_longer_than_the_parent,
    requests_of,
    take_output,
)
from backprop_tui.oracles.sympy.client import SymbolicOracle


class ParentsTorch:
    """The torch oracle, by way of the parent."""

    def __init__(self, requests: Iterator[str], replies: IO[str], first: int) -> None:
        """Questions are numbered from `first` on, apart from those of other workers."""
        self._requests = requests
        self._replies = replies
        self._questions = first

    def ask(self, trace: Trace) -> Ready[TorchReport] | Failed:
        """What torch makes of `trace`."""
        refusal = too_large(TORCH, trace)
        if refusal is not None:
            return refusal
        self._questions += 1
        request = {"request": self._questions, **TORCH.encode(trace)}
        say(self._replies, {"ask": self._questions, "torch": json.dumps(request)})
        told = json.loads(next(self._requests))
        if "failed" in told:
            return Failed(*told["failed"])
        line = told["line"].encode("ascii", "replace")
        return answer_in(TORCH, trace, self._questions, line) or no_answer(TORCH, line)


def say(replies: IO[str], message: Mapping[str, Any]) -> None:
    """One message on one line."""
    replies.write(json.dumps(message) + "\n")
    replies.flush()


def main() -> None:
    """The first line says how to check and print; each further one is a target."""
    replies = take_output()
    live_no_longer_than_the_parent()
    requests = iter(requests_of(sys.stdin))
    how = json.loads(next(requests))
    out = Printer(stream=io.StringIO(), **how["printer"])
    oracle = ParentsTorch(requests, replies, how["first"]) if how["torch"] else None
    limits = TimeLimits(**how["limits"])
    sympy = SymbolicOracle(time_limit=limits.symbolic) if how["symbolic"] else nullcontext()
    with sympy as formulas:
        say(replies, {"ready": True})
        for line in requests:
            told = json.loads(line)
            target = told["path"] if "path" in told else Source(told["name"], told["text"])
            seconds = limits.finite_difference
            result = check_scenario(target, oracle, formulas, seconds=seconds)
            say(replies, outcome_of(result, replace(out), json=how["json"]).as_json())


if __name__ == "__main__":
    main()
