"""An oracle from our side: starts the child process, asks it, and survives its death."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import IO, Any, Generic, Self

from backprop_engine.limits import MAX_SENT
from backprop_engine.trace import Trace
from backprop_tui.oracle.protocol import decode_report, encode_request
from backprop_tui.oracle.report import Failed, Ready, Report, TorchReport

NO_ANSWER = (
    ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError
)  # fmt: skip
"""What decoding raises for lines that are no answer."""

_LAST_WORDS = 2.0
"""Seconds between the end of the child's output and its own."""


@dataclass(frozen=True, slots=True)
class Subject(Generic[Report]):
    """What a child process knows about: which module it runs, and how to speak with it."""

    name: str
    """In sentences: `torch`."""
    module: str
    """Run with `python -m`; see `backprop_tui.oracle.serving`."""
    install: str
    """What to do where its library cannot be imported."""
    encode: Callable[[Trace], Mapping[str, Any]]
    """A request, without its number."""
    decode: Callable[[Trace, Mapping[str, Any]], Report]
    """A reply; KeyError, TypeError, ValueError, IndexError or AttributeError if it is none."""

    @property
    def title(self) -> str:
        """The name at the start of a sentence."""
        return self.name[:1].upper() + self.name[1:]

    @property
    def remedy(self) -> str:
        """What to do where the child has failed."""
        return (
            f"Everything else works without {self.name}; open the scenario again to try once more."
        )

    @property
    def command(self) -> tuple[str, ...]:
        """The command line of the child."""
        # -P: a folder with somebody's own `torch.py` or `engine.py` in it must not shadow the
        # real ones.
        return (sys.executable, "-P", "-m", self.module)


class Client(Generic[Report]):
    """One child process for many traces. Blocking: call `ask` from a worker thread.

    The child starts with the first question, and anew after a question it failed to answer.
    """

    def __init__(
        self, subject: Subject[Report], *, time_limit: float, command: Sequence[str] = ()
    ) -> None:
        """`time_limit` is in seconds, for each question, the start of the child included."""
        self._subject = subject
        self._time_limit = time_limit
        self._command = tuple(command) or subject.command
        self._one_question = threading.Lock()
        self._state = threading.Lock()
        self._child: _Child | None = None
        self._closed = False
        self._questions = 0

    def ask(self, trace: Trace) -> Ready[Report] | Failed:
        """What the oracle makes of `trace`; starts the child if need be.

        Never raises for the child's faults.
        """
        name, remedy = self._subject.name, self._subject.remedy
        if trace.graph.budget.used > MAX_SENT:
            most = MAX_SENT // 1_000_000
            reason = f"This recording has more than {most} MB of arrays, too many for {name}."
            return Failed(reason, remedy)
        with self._one_question:
            self._questions += 1
            request = {"request": self._questions, **self._subject.encode(trace)}
            try:
                child = self._running_child()
            except OSError as error:
                return Failed(f"The {name} process could not be started: {error}.", remedy)
            if child is None:
                return Failed(f"The {name} oracle has been closed.", remedy)
            line = child.converse(json.dumps(request), self._time_limit)
            if isinstance(line, Failed):
                self._dismiss(child)
                return line
            answer = self._answer(trace, line)
            if answer is None:
                self._dismiss(child)
                heard = line[:60].decode("utf-8", "replace").strip()
                reason = f"The {name} process said something that is no answer: “{heard}”."
                return Failed(reason, remedy)
            return answer

    def _answer(self, trace: Trace, line: bytes) -> Ready[Report] | Failed | None:
        """What a reply says; None if it is not a reply to the last question."""
        subject = self._subject
        try:
            reply = json.loads(line)
            if reply["request"] != self._questions:
                return None
            if "unavailable" in reply:
                reason = f"{subject.title} cannot be imported ({reply['unavailable']})."
                return Failed(reason, subject.install)
            if "error" in reply:
                reason = f"{subject.title} could not run this program ({reply['error']})."
                return Failed(reason, subject.remedy)
            return Ready(subject.decode(trace, reply))
        except NO_ANSWER:
            return None

    def close(self) -> None:
        """End the child; an `ask` under way in another thread returns Failed."""
        with self._state:
            self._closed = True
            child = self._child
        if child is not None:
            self._dismiss(child)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _running_child(self) -> _Child | None:
        with self._state:
            if self._closed:
                return None
            if self._child is None:
                self._child = _Child(self._subject, self._command)
            return self._child

    def _dismiss(self, child: _Child) -> None:
        with self._state:
            if self._child is child:
                self._child = None
        child.end()


class _Child:
    """The process, and one exchange with it at a time."""

    def __init__(self, subject: Subject[Any], command: Sequence[str]) -> None:
        self._subject = subject
        self._complaints: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the child
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own module, no shell
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._complaints,
                env={**os.environ, "OMP_NUM_THREADS": "1"},
            )
        except OSError:
            self._complaints.close()
            raise
        self._ending = threading.Lock()

    def converse(self, request: str, time_limit: float) -> bytes | Failed:
        """Send one line and wait for one; the line, or why there is none."""
        answers: queue.Queue[bytes] = queue.Queue()
        # Both writing and reading may block for ever, so neither is done in this thread.
        thread = threading.Thread(target=self._exchange, args=(request, answers), daemon=True)
        thread.start()
        try:
            line = answers.get(timeout=time_limit)
        except queue.Empty:
            self.end()
            thread.join()
            reason = f"{self._subject.title} has not answered within {time_limit:g} seconds."
            return Failed(reason, self._subject.remedy, is_late=True)
        thread.join()
        return line if line.endswith(b"\n") else self._death()

    def _exchange(self, request: str, answers: queue.Queue[bytes]) -> None:
        to_child, from_child = self._process.stdin, self._process.stdout
        line = b""
        try:
            if to_child is not None and from_child is not None:
                to_child.write(request.encode("ascii") + b"\n")
                to_child.flush()
                line = from_child.readline()
        except (OSError, ValueError):
            line = b""  # the child is gone, or its pipes were closed by `end`
        answers.put(line)

    def _death(self) -> Failed:
        name, remedy = self._subject.name, self._subject.remedy
        try:
            code = self._process.wait(timeout=_LAST_WORDS)
        except subprocess.TimeoutExpired:
            return Failed(f"The {name} process has stopped talking.", remedy)
        how = f"was ended by {_signal_name(-code)}" if code < 0 else f"ended with exit code {code}"
        last = self._last_complaint()
        return Failed(f"The {name} process {how}{f': {last}' if last else ''}.", remedy)

    def _last_complaint(self) -> str:
        with self._ending:
            if self._complaints.closed:
                return ""
            self._complaints.seek(0)
            lines = self._complaints.read().decode("utf-8", "replace").split("\n")
        return next((line.strip().rstrip(".") for line in reversed(lines) if line.strip()), "")

    def end(self) -> None:
        """Kill the process, wait for it, close its pipes. Calling it twice does no harm."""
        self._process.kill()
        self._process.wait()
        with self._ending:
            for pipe in (self._process.stdin, self._process.stdout, self._complaints):
                if pipe is not None and not pipe.closed:
                    _close(pipe)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _close(pipe: IO[bytes]) -> None:
    try:
        pipe.close()
    except BrokenPipeError:
        return  # closing flushes what the dead child never read


TORCH: Subject[TorchReport] = Subject(
    name="torch",
    module="backprop_tui.oracle.child",
    install="Install PyTorch in this environment (`pip install torch`), or go on without it.",
    encode=encode_request,
    decode=decode_report,
)
CHILD = TORCH.command


class Oracle(Client[TorchReport]):
    """Torch."""

    def __init__(self, *, time_limit: float = 120.0, command: Sequence[str] = CHILD) -> None:
        super().__init__(TORCH, time_limit=time_limit, command=command)
