"""The torch oracle from our side: starts the child process, asks it, and survives its death."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from types import TracebackType
from typing import IO, Self

from backprop_engine.trace import Trace
from backprop_tui.oracle.protocol import decode_report, encode_request
from backprop_tui.oracle.report import Failed, Ready

# -P: a folder with somebody's own `torch.py` or `engine.py` in it must not shadow the real ones.
CHILD = (sys.executable, "-P", "-m", "backprop_tui.oracle.child")

INSTALL = "Install PyTorch in this environment (`pip install torch`), or go on without it."
TRY_AGAIN = "Everything else works without torch; open the scenario again to try once more."

_LAST_WORDS = 2.0
"""Seconds between the end of the child's output and its own."""


class Oracle:
    """One torch child process for many traces. Blocking: call `ask` from a worker thread.

    The child starts with the first question, and anew after a question it failed to answer.
    """

    def __init__(self, *, time_limit: float = 120.0, command: Sequence[str] = CHILD) -> None:
        """`time_limit` is in seconds, for each question, the start of torch included."""
        self._time_limit = time_limit
        self._command = tuple(command)
        self._one_question = threading.Lock()
        self._state = threading.Lock()
        self._child: _Child | None = None
        self._closed = False
        self._questions = 0

    def ask(self, trace: Trace) -> Ready | Failed:
        """What torch makes of `trace`; starts the child if need be, never raises for its faults."""
        with self._one_question:
            self._questions += 1
            request = encode_request(trace, self._questions)
            try:
                child = self._running_child()
            except OSError as error:
                return Failed(f"The torch process could not be started: {error}.", TRY_AGAIN)
            if child is None:
                return Failed("The torch oracle has been closed.", TRY_AGAIN)
            line = child.converse(json.dumps(request), self._time_limit)
            if isinstance(line, Failed):
                self._dismiss(child)
                return line
            answer = _answer(trace, line, self._questions)
            if answer is None:
                self._dismiss(child)
                heard = line[:60].decode("utf-8", "replace").strip()
                reason = f"The torch process said something that is no answer: “{heard}”."
                return Failed(reason, TRY_AGAIN)
            return answer

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
                self._child = _Child(self._command)
            return self._child

    def _dismiss(self, child: _Child) -> None:
        with self._state:
            if self._child is child:
                self._child = None
        child.end()


class _Child:
    """The process, and one exchange with it at a time."""

    def __init__(self, command: Sequence[str]) -> None:
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
            return Failed(f"Torch has not answered within {time_limit:g} seconds.", TRY_AGAIN)
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
        try:
            code = self._process.wait(timeout=_LAST_WORDS)
        except subprocess.TimeoutExpired:
            return Failed("The torch process has stopped talking.", TRY_AGAIN)
        how = f"was ended by {_signal_name(-code)}" if code < 0 else f"ended with exit code {code}"
        last = self._last_complaint()
        return Failed(f"The torch process {how}{f': {last}' if last else ''}.", TRY_AGAIN)

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


def _answer(trace: Trace, line: bytes, question: int) -> Ready | Failed | None:
    """What a reply says; None if it is not a reply to this question."""
    try:
        reply = json.loads(line)
        if reply["request"] != question:
            return None
        if "unavailable" in reply:
            return Failed(f"Torch cannot be imported ({reply['unavailable']}).", INSTALL)
        if "error" in reply:
            return Failed(f"Torch could not run this program ({reply['error']}).", TRY_AGAIN)
        return Ready(decode_report(trace, reply))
    except (ValueError, KeyError, TypeError, IndexError, AttributeError):
        return None
