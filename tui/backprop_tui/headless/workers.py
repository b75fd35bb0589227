"""Many scenarios at once: a process for each core, one torch for all, outcomes in order.

A thread stands behind each worker process: it hands out targets, carries questions to torch and
answers back, and starts another process where one has died.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from backprop_engine.basics.source import Source
from backprop_tui.config.time_limits import DEFAULT_LIMITS, TimeLimits
from backprop_tui.headless.json_values import json_line
from backprop_tui.headless.outcome import Outcome, Tally
from backprop_tui.headless.printer import Printer
from backprop_tui.oracles.client import Oracle
from backprop_tui.oracles.process import Child
from backprop_tui.oracles.report import Failed

FEW = 24
"""So many scenarios are done before a second process has started."""
_COMMAND = (sys.executable, "-P", "-m", "backprop_tui.headless.worker")
_QUESTIONS = 2**32
"""The numbers that one worker has for its questions to torch."""
_GLANCE = 0.2
"""Seconds after which a wait is taken up anew: on Windows ctrl+c does not end one."""


@dataclass(frozen=True, slots=True)
class How:
    """How to check, and how to print it."""

    json: bool
    symbolic: bool
    out: Printer
    limits: TimeLimits = DEFAULT_LIMITS

    def line(self, *, torch: bool, worker: int) -> str:
        """The same for a worker process."""
        out = self.out
        printer = {"colour": out.colour, "plain": out.plain, "width": out.width}
        return json.dumps(
            {
                "json": self.json,
                "torch": torch,
                "symbolic": self.symbolic,
                "limits": asdict(self.limits),
                "first": worker * _QUESTIONS,
                "printer": printer | {"encoding": out.encoding},
            }
        )


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
    command: Sequence[str] = _COMMAND,
) -> Iterator[Iterator[Outcome]]:
    """The outcome of every target, in order; leaving ends all workers, done or not."""
    pool = _Pool(targets, how, oracle, command)
    try:
        yield pool.outcomes(workers)
    finally:
        pool.close()


class _Pool:
    """What the threads share."""

    def __init__(
        self,
        targets: Sequence[str | Source],
        how: How,
        oracle: Oracle | None,
        command: Sequence[str],
    ) -> None:
        self._targets, self._how, self._oracle, self._command = targets, how, oracle, command
        self._waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[tuple[int, Outcome]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._children: dict[int, Child] = {}
        self._closed = False

    def outcomes(self, workers: int) -> Iterator[Outcome]:
        for index in range(len(self._targets)):
            self._waiting.put(index)
        for worker in range(workers):
            threading.Thread(target=self._work, args=(worker,), daemon=True).start()
        early: dict[int, Outcome] = {}
        for index in range(len(self._targets)):
            while index not in early:
                try:
                    at, outcome = self._done.get(timeout=_GLANCE)
                except queue.Empty:
                    continue
                early[at] = outcome
            yield early.pop(index)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            children = list(self._children.values())
        for child in children:
            child.end()

    def _work(self, worker: int) -> None:
        while not self._closed:
            try:
                index = self._waiting.get_nowait()
            except queue.Empty:
                return
            outcome = self._checked(worker, self._targets[index])
            self._done.put((index, outcome))

    def _checked(self, worker: int, target: str | Source) -> Outcome:
        try:
            child = self._child(worker)
        except OSError as error:
            failed = Failed(f"The check process could not be started: {error}.", _REMEDY)
            return self._lost(target, failed)
        if child is None:
            return self._lost(target, Failed("The check has been interrupted.", _REMEDY))
        told = {"path": target} if isinstance(target, str) else asdict(target)
        answer = self._exchange(child, told)
        while not isinstance(answer, Failed) and "ask" in answer:
            answer = self._exchange(child, self._from_torch(answer["torch"], answer["ask"]))
        if isinstance(answer, Failed):
            with self._lock:
                self._children.pop(worker, None)
            child.end()
            return self._lost(target, answer)
        return Outcome.from_json(answer)

    def _child(self, worker: int) -> Child | None:
        """The worker's process, started if need be; None once the pool is closed."""
        with self._lock:
            if self._closed or worker in self._children:
                return None if self._closed else self._children[worker]
            child = self._children[worker] = Child("check", _REMEDY, self._command)
        child.converse(self._how.line(torch=self._oracle is not None, worker=worker), None)
        return child

    def _exchange(self, child: Child, message: Mapping[str, Any]) -> dict[str, Any] | Failed:
        line = child.converse(json.dumps(message), None)
        return line if isinstance(line, Failed) else json.loads(line)

    def _from_torch(self, request: str, number: int) -> dict[str, Any]:
        if self._oracle is None:
            raise ValueError("no worker was told of a torch")
        line = self._oracle.forward(request, number)
        if isinstance(line, Failed):
            return {"failed": [line.reason, line.remedy]}
        return {"line": line.decode("utf-8", "replace")}

    def _lost(self, target: str | Source, failed: Failed) -> Outcome:
        """What is told of a scenario whose process did not come to its end."""
        name = target if isinstance(target, str) else target.name
        message = f"{failed.reason} {failed.remedy}"
        printed = ""
        if self._how.json:
            error = {"oracle": "engine", "name": None, "message": message}
            told = {"scenario": name, "ok": False, "values": {}, "gradients": {}}
            told |= {"nodes": 0, "steps": 0, "float32": None, "errors": [error]}
            printed = json_line(told) + "\n"
        return Outcome(printed, f"{name}: {message}\n", Tally(scenarios=1, failed=1))


_REMEDY = "The others are checked all the same; check this one by itself."
