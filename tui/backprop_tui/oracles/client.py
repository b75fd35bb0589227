"""An oracle from our side: starts the child process, asks it, and survives its death."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Generic, Self

from backprop_engine.basics.limits import MAX_SENT
from backprop_engine.run.tape import graph_of
from backprop_engine.trace import Trace
from backprop_tui.oracles.limits import TORCH_SECONDS
from backprop_tui.oracles.process import Child
from backprop_tui.oracles.report import Failed, Ready, Report, TorchReport
from backprop_tui.oracles.torch.protocol import decode_report, encode_request

NO_ANSWER = (
    ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError
)  # fmt: skip
"""What decoding raises for lines that are no answer."""


@dataclass(frozen=True, slots=True)
class Subject(Generic[Report]):
    """What a child process knows about: which module it runs, and how to speak with it."""

    name: str
    """In sentences: `torch`."""
    module: str
    """Run with `python -m`; see `backprop_tui.oracles.serving`."""
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
        self._child: Child | None = None
        self._closed = False
        self._questions = 0

    def ask(self, trace: Trace) -> Ready[Report] | Failed:
        """What the oracle makes of `trace`; starts the child if need be.

        Never raises for the child's faults.
        """
        refusal = too_large(self._subject, trace)
        if refusal is not None:
            return refusal
        with self._one_question:
            self._questions += 1
            request = {"request": self._questions, **self._subject.encode(trace)}
            line = self._converse(json.dumps(request))
            if isinstance(line, Failed):
                return line
            answer = answer_in(self._subject, trace, self._questions, line)
            if answer is None:
                self._end_child()
                return no_answer(self._subject, line)
            return answer

    def forward(self, request: str, number: int) -> bytes | Failed:
        """The reply to a request that another process has encoded and will decode."""
        with self._one_question:
            line = self._converse(request)
            if isinstance(line, bytes) and not line.endswith(b'"request":%d}\n' % number):
                self._end_child()  # what it says next would be no answer either
            return line

    def _converse(self, request: str) -> bytes | Failed:
        name, remedy = self._subject.name, self._subject.remedy
        try:
            child = self._running_child()
        except OSError as error:
            return Failed(f"The {name} process could not be started: {error}.", remedy)
        if child is None:
            return Failed(f"The {name} oracle has been closed.", remedy)
        line = child.converse(request, self._time_limit)
        if isinstance(line, Failed):
            self._end_child()
        return line

    def close(self) -> None:
        """End the child; an `ask` under way in another thread returns Failed."""
        with self._state:
            self._closed = True
        self._end_child()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _running_child(self) -> Child | None:
        with self._state:
            if self._closed:
                return None
            if self._child is None:
                self._child = Child(self._subject.name, self._subject.remedy, self._command)
            return self._child

    def _end_child(self) -> None:
        with self._state:
            child, self._child = self._child, None
        if child is not None:
            child.end()


def too_large(subject: Subject[Any], trace: Trace) -> Failed | None:
    """Why a recording is not sent at all; None if it is not too large."""
    if graph_of(trace).budget.used <= MAX_SENT:
        return None
    reason = (
        f"This recording has more than {MAX_SENT // 1_000_000} MB of arrays, "
        f"too many for {subject.name}."
    )
    return Failed(reason, subject.remedy)


def answer_in(
    subject: Subject[Report], trace: Trace, number: int, line: bytes
) -> Ready[Report] | Failed | None:
    """What a reply says; None if it is not a reply to question `number`."""
    try:
        reply = json.loads(line)
        if reply["request"] != number:
            return None
        if "unavailable" in reply:
            reason = f"{subject.title} cannot be imported ({reply['unavailable']})."
            return Failed(reason, subject.install)
        if "memory" in reply:
            return Failed(f"{subject.title} ran out of memory over this program.", subject.remedy)
        if "error" in reply:
            reason = f"{subject.title} could not run this program ({reply['error']})."
            return Failed(reason, subject.remedy)
        return Ready(subject.decode(trace, reply))
    except NO_ANSWER:
        return None


def no_answer(subject: Subject[Any], line: bytes) -> Failed:
    """What to say of a reply that is none."""
    heard = line[:60].decode("utf-8", "replace").strip()
    reason = f"The {subject.name} process said something that is no answer: “{heard}”."
    return Failed(reason, subject.remedy)


TORCH: Subject[TorchReport] = Subject(
    name="torch",
    module="backprop_tui.oracles.torch.child",
    install="Install PyTorch in this environment (`pip install torch`), or go on without it.",
    encode=encode_request,
    decode=decode_report,
)
CHILD = TORCH.command


class Oracle(Client[TorchReport]):
    """Torch."""

    def __init__(
        self, *, time_limit: float = TORCH_SECONDS, command: Sequence[str] = CHILD
    ) -> None:
        super().__init__(TORCH, time_limit=time_limit, command=command)
