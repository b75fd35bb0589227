"""A learner's file from our side: asked like any oracle, and judged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Self, TypeVar

from backprop_engine.basics.values import Value
from backprop_engine.trace import Trace
from backprop_tui.oracles.limits import YOURS_SECONDS
from backprop_tui.oracles.messages import Message
from backprop_tui.oracles.process import Child, Role
from backprop_tui.oracles.report import Failed
from backprop_tui.oracles.yours.file import File
from backprop_tui.oracles.yours.protocol import (
    Answers,
    Contents,
    LayerRun,
    LearnersRun,
    Unusable,
    about_file,
    answers_of,
    answers_question,
    contents_of,
    layer_of,
    layer_question,
    program_question,
    run_of,
)

Told = TypeVar("Told")


class _Learner(Role):
    @property
    def title(self) -> str:
        """What is said of the file."""
        return "The file"


LEARNER: Final = _Learner(
    name="learner's",
    module="backprop_tui.oracles.yours.child",
    remedy="A file that is judged has a time limit, 4 GB of memory and no other process.",
)


class Learners:
    """Asks a process of its own about one file, as long as that stays as it is. Blocking."""

    def __init__(
        self, file: File, *, time_limit: float = YOURS_SECONDS, child: Child | None = None
    ) -> None:
        self.file, self._seconds = file, time_limit
        self._child = child or Child(LEARNER)

    def contents(self, names: Sequence[str] = ()) -> Contents | Unusable | Failed:
        """What stands in the file beside a scenario's names; an engine's file is run for that."""
        return self._ask({"ask": "look", "names": list(names)}, contents_of)

    def run(self, trace: Trace) -> LearnersRun | Unusable | Failed:
        """What an engine makes of a program."""
        question = program_question(trace, self.file)
        return self._ask(question, lambda reply: run_of(trace, reply))

    def answers(self, trace: Trace, names: Sequence[str]) -> Answers | Unusable | Failed:
        """What the file says of the gradients of a scenario's names."""
        return self._ask(answers_question(trace, names), answers_of)

    def layer(
        self, layer: str, arguments: Sequence[Value], dout: Value | None, *, numeric: bool
    ) -> LayerRun | Unusable | Failed:
        """What a pair of functions, or a loss, makes of arguments."""
        return self._ask(layer_question(layer, arguments, dout, numeric=numeric), layer_of)

    def _ask(self, question: Message, decode: Callable[[Message], Told]) -> Told | Failed:
        return self._child.ask({**question, **about_file(self.file)}, decode, self._seconds)

    @property
    def process(self) -> int | None:
        """The number of the process, and of the group of all that it starts, while it lives."""
        return self._child.process

    def close(self) -> None:
        """End the process; a question under way in another thread is answered by Failed."""
        self._child.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
