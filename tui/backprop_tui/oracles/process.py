"""A child process from our side: one line there, one line back, and what became of it."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Sequence
from functools import partial
from typing import IO

from backprop_tui.oracles.report import Failed

MOST_BYTES = 2**30
"""In one reply; a trace of a million nodes is answered in about a tenth."""
_LAST_WORDS = 2.0
"""Seconds between the end of the child's output and its own."""
_PART, _MOST_COMPLAINTS, _MOST_QUOTED = 4096, 16, 500
"""Bytes read at once of what the child complains of, how many such parts are kept, and how many
characters are quoted."""


class Child:
    """The process, and one exchange with it at a time.

    One thread starts the process and speaks with it as long as it lives: writing and reading may
    block for ever, and on Linux the process ends with the thread that started it.
    """

    def __init__(self, name: str, remedy: str, command: Sequence[str]) -> None:
        """`name` and `remedy` are for what people are told; OSError if it cannot be started."""
        self._name, self._remedy = name, remedy
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

    def converse(self, request: str, time_limit: float | None) -> bytes | Failed:
        """Send one line and wait for one; the line, or why there is none."""
        self._requests.put(request.encode("ascii") + b"\n")
        try:
            line = self._answers.get(timeout=time_limit)
        except queue.Empty:
            self.end()
            who = self._name[:1].upper() + self._name[1:]
            reason = f"{who} has not answered within {time_limit:g} seconds."
            return Failed(reason, self._remedy, is_late=True)
        if line.endswith(b"\n"):
            return line
        if len(line) >= MOST_BYTES:
            reason = f"The {self._name} process said more than {MOST_BYTES:,} bytes at once."
            return Failed(reason, self._remedy)
        return self._death()

    def _speak(self, started: queue.SimpleQueue[subprocess.Popen[bytes] | OSError]) -> None:
        if sys.platform != "win32":
            # The child inherits it: ctrl+c is ours, while the child is still starting too.
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
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
            read = partial(os.read, self._process.stderr.fileno(), _PART)  # as soon as there is any
            for part in iter(read, b""):
                self._complaints.append(part)

    def _death(self) -> Failed:
        name, remedy = self._name, self._remedy
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
        # A thread may still be in one, where a grandchild holds the pipe open.
        are_in_them = self._speaking.is_alive() or self._listening.is_alive()
        with self._ending:
            for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
                if pipe is not None and not (are_in_them or pipe.closed):
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
