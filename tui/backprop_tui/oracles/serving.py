"""A child process from its own side: questions on standard input, an answer to each.

The end of standard input is the end of the process, at once and whatever it is doing: its pipe
closes when the parent has gone, however that came about.
"""

from __future__ import annotations

import ctypes
import gc
import os
import queue
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from backprop_tui.oracles.memory import give_back_memory
from backprop_tui.oracles.messages import Message, line_of, packed, unpacked

Answer = Callable[[Message], Message]
"""From a question to its reply; UnavailableError where the library is not there."""

_PR_SET_PDEATHSIG = 1
"""From linux/prctl.h."""


class UnavailableError(Exception):
    """The library that would answer cannot be imported here."""


class Parent:
    """The process that asks. There is one, and this one lives no longer."""

    def __init__(self) -> None:
        # Whatever a library prints must not get between the replies.
        self._replies = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        self._asked = os.fdopen(os.dup(sys.stdin.fileno()), "rb")
        with Path(os.devnull).open("rb") as nothing:  # nor may anybody read the questions
            os.dup2(nothing.fileno(), sys.stdin.fileno())
        self._questions: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self.number = 0
        """That of the last question."""
        _live_no_longer_than_the_parent()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        while True:
            try:
                line = line_of(self._asked)
            except EOFError:
                os._exit(0)
            self._questions.put(unpacked(line, self._asked))

    def hear(self) -> Message:
        """The next question."""
        question = self._questions.get()
        self.number = question["request"]
        return question

    def say(self, reply: bytes) -> None:
        """Send a message that is packed."""
        self._replies.write(reply)
        self._replies.flush()

    def ask(self, message: Message) -> Message:
        """What the parent says to a message that is no reply, while it waits for one."""
        self.say(packed({**message, "request": self.number}))
        return self.hear()


def reply_to(answer: Answer, question: Message, number: Callable[[], int]) -> bytes:
    """The reply to a question, packed; what the library raises is a reply as well."""
    told: Message
    try:
        return packed({**answer(question), "request": number()})
    except UnavailableError as error:
        told = {"unavailable": str(error)}
    except MemoryError:
        told = {"memory": True}
    except Exception as error:  # noqa: BLE001 - whatever the library raises is the answer
        told = {"error": f"{type(error).__name__}: {error}"}
    return packed({**told, "request": number()})


def run(answer: Answer, parent: Parent | None = None) -> None:
    """Serve on standard input and output, as long as there is a parent."""
    parent = parent or Parent()
    # Graphs of millions of small objects are walked once, after the answer, not again and again.
    gc.disable()
    while True:
        question = parent.hear()
        parent.say(reply_to(answer, question, lambda: parent.number))
        del question
        gc.collect()
        # What is left are the libraries: never again to be walked, which for torch takes longer
        # than a small program does.
        gc.freeze()
        give_back_memory()


def _live_no_longer_than_the_parent() -> None:
    """Leave ctrl+c to the parent, and die with it even where no thread of ours can run.

    A library may compute for minutes without letting Python's other threads run. On Linux the
    kernel then does it; elsewhere the process ends with that computation.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        # The signal comes when the *thread* that started us ends: `process` sees to that.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
