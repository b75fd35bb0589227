"""An oracle from our side: starts the child process, asks it, and survives its death."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import IO, Any, Generic, Self

from backprop_engine.trace import Trace
from backprop_tui.oracle.protocol import decode_report, encode_request
from backprop_tui.oracle.report import Failed, Ready, Report, TorchReport

MOST_BYTES = 2**30
"""In one reply; a trace of a million nodes is answered in about a tenth."""
_LAST_WORDS = 2.0
"""Seconds between the end of the child's output and its own."""
_PART, _MOST_COMPLAINTS, _MOST_QUOTED = 4096, 16, 500
"""Bytes read at once of what the child complains of, how many such parts are kept, and how many
characters are quoted."""


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
        return f"Everything else works without {self.name}."

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
            if "memory" in reply:
                reason = f"{subject.title} ran out of memory over this program."
                return Failed(reason, subject.remedy)
            if "error" in reply:
                reason = f"{subject.title} could not run this program ({reply['error']})."
                return Failed(reason, subject.remedy)
            return Ready(subject.decode(trace, reply))
        except (ValueError, KeyError, TypeError, IndexError, AttributeError):
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
    """The process, and one exchange with it at a time.

    One thread starts the process and speaks with it as long as it lives: writing and reading may
    block for ever, and on Linux the process ends with the thread that started it.
    """

    def __init__(self, subject: Subject[Any], command: Sequence[str]) -> None:
        self._subject = subject
        self._command = command
        self._ending = threading.Lock()
        self._requests: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._complaints: deque[bytes] = deque(maxlen=_MOST_COMPLAINTS)
        started: queue.SimpleQueue[subprocess.Popen[bytes] | OSError] = queue.SimpleQueue()
        self._speaking = threading.Thread(target=self._speak, args=(started,), daemon=True)
        self._speaking.start()
        process = started.get()
        if isinstance(process, OSError):
            raise process
        self._process = process
        self._listening = threading.Thread(target=self._listen, daemon=True)
        self._listening.start()

    def converse(self, request: str, time_limit: float) -> bytes | Failed:
        """Send one line and wait for one; the line, or why there is none."""
        self._requests.put(request.encode("ascii") + b"\n")
        try:
            line = self._answers.get(timeout=time_limit)
        except queue.Empty:
            self.end()
            reason = f"{self._subject.title} has not answered within {time_limit:g} seconds."
            return Failed(reason, self._subject.remedy, is_late=True)
        if line.endswith(b"\n"):
            return line
        if len(line) >= MOST_BYTES:
            reason = f"The {self._subject.name} process said more than {MOST_BYTES:,} bytes at once."
            return Failed(reason, self._subject.remedy)
        return self._death()

    def _speak(self, started: queue.SimpleQueue[subprocess.Popen[bytes] | OSError]) -> None:
        try:
            process = subprocess.Popen(  # noqa: S603 - our own module, no shell
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={**os.environ, "OMP_NUM_THREADS": "1"},
            )
        except OSError as error:
            started.put(error)
            return
        started.put(process)
        for request in iter(self._requests.get, None):
            self._answers.put(_exchange(process, request))

    def _listen(self) -> None:
        """Keep the last of what the process complains of, so that it may complain without end."""
        if self._process.stderr is not None:
            for part in iter(partial(self._process.stderr.read1, _PART), b""):
                self._complaints.append(part)

    def _death(self) -> Failed:
        name, remedy = self._subject.name, self._subject.remedy
        try:
            code = self._process.wait(timeout=_LAST_WORDS)
        except subprocess.TimeoutExpired:
            return Failed(f"The {name} process has stopped talking.", remedy)
        if code < 0 and signal_name(-code) == "SIGKILL":
            how = "was ended by SIGKILL, as the system does when memory runs out"
        elif code < 0:
            how = f"was ended by {signal_name(-code)}"
        else:
            how = f"ended with exit code {code}"
        last = self._last_complaint()
        return Failed(f"The {name} process {how}{f': {last}' if last else ''}.", remedy)

    def _last_complaint(self) -> str:
        self._listening.join(_LAST_WORDS)  # not for ever: a grandchild may hold the pipe open
        lines = b"".join(self._complaints).decode("utf-8", "replace").split("\n")
        last = next((line for line in reversed(lines) if line.strip()), "")
        return last.strip().rstrip(".")[:_MOST_QUOTED]

    def end(self) -> None:
        """Kill the process, wait for it, close its pipes. Calling it twice does no harm."""
        self._process.kill()
        self._process.wait()
        self._requests.put(None)
        self._speaking.join(_LAST_WORDS)
        self._listening.join(_LAST_WORDS)
        with self._ending:
            for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
                # A thread still in it (a grandchild holds the pipe open) would make closing wait.
                if pipe is not None and not (self._speaking.is_alive() or pipe.closed):
                    _close(pipe)


def _exchange(process: subprocess.Popen[bytes], request: bytes) -> bytes:
    """One line there and one back; empty if the process is gone, cut off if it is too long."""
    if process.stdin is None or process.stdout is None:
        return b""
    try:
        process.stdin.write(request)
        process.stdin.flush()
        return process.stdout.readline(MOST_BYTES)
    except (OSError, ValueError):
        return b""  # the child is gone, or its pipes were closed by `end`


def signal_name(number: int) -> str:
    """`SIGKILL` for 9."""
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
