"""A child process from our side: started when it is asked, and anew after it has failed to answer.

Whatever it does, the answer is one, or a sentence that says why there is none. It gets nothing of
ours but the questions, and what comes back is data that is checked (see `messages`).
"""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from typing import IO, Any, TypeVar, cast

from backprop_engine.basics.dataclass import dataclass
from backprop_tui.oracles.messages import (
    NO_MESSAGE,
    Message,
    TooLongError,
    line_of,
    packed,
    unpacked,
)
from backprop_tui.oracles.report import Failed

Answer = TypeVar("Answer")

MOST_BYTES = 2**30
"""In one reply; a trace of a million nodes is answered in about a tenth."""
_LAST_WORDS = 2.0
"""Seconds between the end of the child's output and its own."""
_PART, _MOST_COMPLAINTS, _MOST_QUOTED = 4096, 16, 500
"""Bytes read at once of what the child complains of, how many such parts are kept, and how many
characters are quoted."""
_MOST_HEARD = 60
"""Bytes quoted of what is no answer."""


@dataclass(frozen=True, slots=True)
class Role:
    """Who is asked; both remedies are whole sentences."""

    name: str
    """In sentences: `torch`."""
    module: str
    """Run with `python -m`; see `backprop_tui.oracles.serving`."""
    remedy: str
    """What to do where the child has failed."""
    install: str = ""
    """What to do where its library cannot be imported."""

    @property
    def title(self) -> str:
        """The name at the start of a sentence."""
        return self.name[:1].upper() + self.name[1:]

    @property
    def command(self) -> tuple[str, ...]:
        """The command line of the child."""
        # -P: a folder with somebody's own `torch.py` or `engine.py` in it must not shadow the
        # real ones.
        return (sys.executable, "-P", "-m", self.module)

    def failed(self, reason: str, **how: bool) -> Failed:
        """That it cannot answer."""
        return Failed(reason, self.remedy, **how)

    def no_answer(self, heard: bytes) -> Failed:
        """What to say of a reply that is none."""
        quoted = heard[:_MOST_HEARD].decode("utf-8", "replace").strip()
        return self.failed(f"The {self.name} process said something that is no answer: “{quoted}”.")

    def answer_to(self, reply: Message, decode: Callable[[Message], Answer]) -> Answer | Failed:
        """What a reply says; raises what `decode` does, one of NO_MESSAGE if it is none."""
        if "unavailable" in reply:
            reason = f"{self.title} cannot be imported ({reply['unavailable']})."
            return Failed(reason, self.install)
        if "memory" in reply:
            return self.failed(f"{self.title} ran out of memory over this program.")
        if "error" in reply:
            return self.failed(f"{self.title} could not run this program ({reply['error']}).")
        return decode(reply)


_Heard = tuple[bytes, Any]
"""A line, and the message that begins with it; None if it is none."""


class Child:
    """A process that is asked one question after the other; blocking, so ask in a thread."""

    def __init__(self, role: Role, command: Sequence[str] = ()) -> None:
        self._role = role
        self._command = tuple(command) or role.command
        self._one_question = threading.Lock()
        self._state = threading.Lock()
        self._life: _Life | None = None
        self._is_closed = False

    def ask(
        self, message: Message, decode: Callable[[Message], Answer], seconds: float | None = None
    ) -> Answer | Failed:
        """What `decode` makes of the reply to `message`, or why there is none.

        `seconds` are what there is for it, the start included. `decode` raises one of NO_MESSAGE
        where the reply is no answer. The child's faults end it, and are never raised.
        """
        role, line = self._role, b""
        with self._one_question:
            try:
                life = self._begun()
            except OSError as error:
                return role.failed(f"The {role.name} process could not be started: {error}.")
            if life is None:
                return role.failed(f"The {role.name} oracle has been closed.")
            number, question = life.numbered(message)
            try:
                line, reply = life.exchange(question).result(seconds)
                return role.answer_to(_numbered(reply, number), decode)
            except TimeoutError:
                reason = f"{role.title} has not answered within {seconds:g} seconds."
                failed = role.failed(reason, is_late=True)
            except TooLongError:
                reason = f"The {role.name} process said more than {MOST_BYTES:,} bytes at once."
                failed = role.failed(reason)
            except (EOFError, OSError):
                failed = role.failed(f"The {role.name} process {life.death()}.")
            except NO_MESSAGE:
                failed = role.no_answer(line)
            except BaseException:
                self._end(life)
                raise
            self._end(life)  # what it says next would be no answer either
            return failed

    def close(self) -> None:
        """End it for good; an `ask` under way in another thread returns Failed."""
        with self._state:
            self._is_closed, life = True, self._life
        if life is not None:
            self._end(life)

    @property
    def process(self) -> int | None:
        """The number of the process; None while there is none."""
        with self._state:
            return None if self._life is None else self._life.process.pid

    def _begun(self) -> _Life | None:
        with self._state:
            if self._life is None and not self._is_closed:
                self._life = _Life(self._command)
            return None if self._is_closed else self._life

    def _end(self, life: _Life) -> None:
        with self._state:
            if self._life is life:
                self._life = None
        life.end()


def _numbered(reply: Any, number: int) -> Message:
    """`reply`; one of NO_MESSAGE if it is none to question `number`."""
    if reply["request"] != number:
        raise ValueError("that is the reply to another question")
    return cast("Message", reply)


class _Life:
    """One process from its start to its end.

    One thread starts the process and speaks with it as long as it lives: writing and reading may
    block for ever, and on Linux the process ends with the thread that started it.
    """

    def __init__(self, command: Sequence[str]) -> None:
        """OSError if it cannot be started."""
        self._questions: queue.SimpleQueue[tuple[bytes, Future[_Heard]] | None]
        self._questions = queue.SimpleQueue()
        self._complaints: deque[bytes] = deque(maxlen=_MOST_COMPLAINTS)
        self._number = 0
        self._is_over = False
        started: Future[subprocess.Popen[bytes]] = Future()
        self._speaking = threading.Thread(target=self._speak, args=(command, started), daemon=True)
        self._speaking.start()
        self.process = started.result()
        self._listening = threading.Thread(target=self._listen, daemon=True)
        self._listening.start()

    def numbered(self, message: Message) -> tuple[int, bytes]:
        """The next question, and its number."""
        self._number += 1
        return self._number, packed({**message, "request": self._number})

    def exchange(self, question: bytes) -> Future[_Heard]:
        """What will be heard; TooLongError if it is too long, EOFError or OSError if nothing is."""
        heard: Future[_Heard] = Future()
        self._questions.put((question, heard))
        if self._is_over:  # there may be nobody any more who takes it
            raise EOFError
        return heard

    def _speak(self, command: Sequence[str], started: Future[subprocess.Popen[bytes]]) -> None:
        if sys.platform != "win32":
            # The child inherits it: ctrl+c is ours, while the child is still starting too.
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            process = subprocess.Popen(  # noqa: S603 - our own module, no shell
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={**os.environ, "OMP_NUM_THREADS": "1"},
                process_group=0,  # what it has started ends with it
            )
        except Exception as error:  # noqa: BLE001 - raised where it is to be started
            started.set_exception(error)
            return
        started.set_result(process)
        asking, hearing = cast("IO[bytes]", process.stdin), cast("IO[bytes]", process.stdout)
        for question, heard in iter(self._questions.get, None):
            line = b""
            try:
                asking.write(question)
                asking.flush()
                line = line_of(hearing, MOST_BYTES)
                heard.set_result((line, unpacked(line, hearing, MOST_BYTES)))
            except NO_MESSAGE:
                heard.set_result((line, None))
            except Exception as error:  # noqa: BLE001 - raised where it is asked
                heard.set_exception(error)
        hearing.close()
        with suppress(OSError):  # closing flushes what the dead child never read
            asking.close()

    def _listen(self) -> None:
        """Keep the last of what the process complains of, so that it may complain without end."""
        with cast("IO[bytes]", self.process.stderr) as complaints:
            read = partial(os.read, complaints.fileno(), _PART)  # as soon as there is any
            for part in iter(read, b""):
                self._complaints.append(part)

    def death(self) -> str:
        """How it ended, after “the process”."""
        try:
            code = self.process.wait(timeout=_LAST_WORDS)
        except subprocess.TimeoutExpired:
            return "has stopped talking"
        how = f"ended with exit code {code}" if code >= 0 else f"was ended by {_signal_name(-code)}"
        if how.endswith("SIGKILL"):
            how += ", as the system does when memory runs out"
        last = self._last_complaint()
        return f"{how}: {last}" if last else how

    def _last_complaint(self) -> str:
        self._listening.join(_LAST_WORDS)  # not for ever: a grandchild may hold the pipe open
        lines = b"".join(self._complaints).decode("utf-8", "replace").split("\n")
        last = next((line for line in reversed(lines) if line.strip()), "")
        return last.strip().rstrip(".")[:_MOST_QUOTED]

    def end(self) -> None:
        """Kill the process and what it has started, and wait. Calling it twice does no harm."""
        self._is_over = True
        if self.process.poll() is None:
            if sys.platform == "win32":
                self.process.kill()
            else:
                with suppress(ProcessLookupError):
                    os.killpg(self.process.pid, signal.SIGKILL)
                self.process.kill()  # it may have left the group
        self.process.wait()
        self._questions.put(None)
        for thread in (self._speaking, self._listening):  # each closes the pipes it has
            thread.join(_LAST_WORDS)


def _signal_name(number: int) -> str:
    """`SIGKILL` for 9."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
