"""Many scenarios at once: a process for each core, one torch for all, outcomes in order.

A thread hands each target to a process that is idle, and carries its questions to torch and
the answers back. A process that dies costs its scenario, and the next one gets another.
"""

from __future__ import annotations

import json
import os
import queue
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import asdict, astuple

from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.source import Source
from backprop_tui.config.time_limits import DEFAULT_LIMITS, TimeLimits
from backprop_tui.headless.check_output import as_json
from backprop_tui.headless.checked import ENGINE, Checked, Complaint
from backprop_tui.headless.json_values import json_line
from backprop_tui.headless.outcome import Outcome, Tally
from backprop_tui.headless.printer import Printer
from backprop_tui.headless.reports import Case, Fault
from backprop_tui.oracles.client import Oracle
from backprop_tui.oracles.messages import Message
from backprop_tui.oracles.process import Child, Role
from backprop_tui.oracles.report import Failed

FEW = 24
"""So many scenarios are done before a second process has started."""
_GLANCE = 0.2
"""Seconds after which a wait is taken up anew: on Windows ctrl+c does not end one."""
_OF_A_PRINTER = ("colour", "plain", "width", "encoding")
_CHECK = Role(
    name="check",
    module="backprop_tui.headless.worker",
    remedy="The others are checked all the same; check this one by itself.",
)


@dataclass(frozen=True, slots=True)
class How:
    """How to check, and how to print it."""

    json: bool
    symbolic: bool
    out: Printer
    limits: TimeLimits = DEFAULT_LIMITS

    def line(self, *, torch: bool) -> str:
        """The same for a worker process."""
        told = {"json": self.json, "torch": torch, "symbolic": self.symbolic}
        printer = {name: getattr(self.out, name) for name in _OF_A_PRINTER}
        return json.dumps(told | {"limits": asdict(self.limits), "printer": printer})


def cores() -> int:
    """How many processes can run at once."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def many_outcomes(
    targets: Sequence[str | Source],
    how: How,
    oracle: Oracle | None,
    *,
    workers: int,
    command: Sequence[str] = _CHECK.command,
) -> Iterator[Iterator[Outcome]]:
    """The outcome of every target, in order; leaving ends all workers, done or not."""
    command = (*command, how.line(torch=oracle is not None))
    children = [Child(_CHECK, command) for _ in range(workers)]
    idle: queue.SimpleQueue[Child] = queue.SimpleQueue()
    for child in children:
        idle.put(child)

    def checked(target: str | Source) -> Outcome:
        child = idle.get()
        try:
            outcome = _outcome(child, target, oracle)
        finally:
            idle.put(child)
        return _lost(target, outcome, json=how.json) if isinstance(outcome, Failed) else outcome

    threads = ThreadPoolExecutor(workers)
    try:
        yield map(_result, [threads.submit(checked, target) for target in targets])
    finally:
        # One of them may wait for torch, which is ended after us.
        threads.shutdown(wait=False, cancel_futures=True)
        for child in children:
            child.close()


def _result(future: Future[Outcome]) -> Outcome:
    while not wait([future], _GLANCE).done:
        pass
    return future.result()


def _outcome(child: Child, target: str | Source, oracle: Oracle | None) -> Outcome | Failed:
    message: Message = {"path": target} if isinstance(target, str) else asdict(target)
    while True:
        answer = child.ask(message, _asked_or_done)
        if isinstance(answer, Outcome | Failed):
            return answer
        if oracle is None:
            raise ValueError("no worker was told of a torch")
        told = oracle.forward(answer)
        message = {"failed": astuple(told)} if isinstance(told, Failed) else told


def _asked_or_done(reply: Message) -> Message | Outcome:
    """A question to torch, or the outcome."""
    asked: Message | None = reply.get("ask")
    return Outcome.from_json(reply) if asked is None else asked


def _lost(target: str | Source, failed: Failed, *, json: bool) -> Outcome:
    """What is told of a scenario whose process did not come to its end."""
    name = target if isinstance(target, str) else target.name
    lost = Checked(name, name, (Complaint(ENGINE, None, failed.sentences),))
    printed = json_line(as_json(lost)) + "\n" if json else ""
    case = Case(name, name, (Fault(failed.sentences),))
    return Outcome(printed, f"{name}: {failed.sentences}\n", Tally(scenarios=1, failed=1), case)
