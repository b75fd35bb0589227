"""Where the random numbers of a program come from, and what to tell of them."""

from __future__ import annotations

from typing import Final

from backprop_engine.basics.source import ProblemError
from backprop_engine.grammar import syntax
from backprop_engine.grammar.syntax import Call, Expression
from backprop_engine.program.python_numbers import Known, literal
from backprop_engine.program.torch_random import DEFAULT_SEED, Stream

_UNSEEDED: Final = (
    "Random numbers: torch draws others in every run, as no `torch.manual_seed` comes before. "
    "Here they are those of the seed 0."
)
_WIDER: Final = (
    "Random numbers are those that torch draws in float64. In float32, its default, it draws "
    "others: a program in a file `X.py` has these."
)
_DROPPED: Final = "`dropout` drops other elements here than torch does."


class Drawing:
    """The generators of a program, while its text is read; `known` tells its numbers."""

    def __init__(self, known: Known, *, as_torch: bool) -> None:
        """`as_torch` is whether torch itself would draw in the same dtype."""
        self._known = known
        self._as_torch = as_torch
        self._default: Stream | None = None
        """The generator that `torch.manual_seed` seeds."""
        self._unseeded = Stream(0)
        self._named: dict[str, Stream] = {}
        self._notes: dict[str, None] = {}

    @property
    def note(self) -> str:
        """What is to be told of numbers that torch would not draw."""
        return " ".join(self._notes)

    def seed(self, call: Call) -> None:
        """`torch.manual_seed(1)`, or `g.manual_seed(1)`. Raises ProblemError for no seed."""
        stream = Stream(self._seed(call))
        if isinstance(call.receiver, syntax.Name):
            self._named[call.receiver.name] = stream
        else:
            self._default = stream

    def is_generator(self, expression: Expression) -> bool:
        """Whether it is the name of one."""
        return isinstance(expression, syntax.Name) and expression.name in self._named

    def add(self, name: str, expression: Expression) -> bool:
        """Take in `g = torch.Generator()`, maybe with its seed; False for all else."""
        match expression:
            case Call(function="Generator", prefix="torch", arguments=(), keywords=()):
                self._named[name] = Stream(DEFAULT_SEED)
            case Call(function="manual_seed", receiver=Call(function="Generator")):
                self._named[name] = Stream(self._seed(expression))
            case _:
                return False
        return True

    def stream(self, call: Call) -> Stream:
        """What a call draws from. Raises ProblemError for a `generator` that is none."""
        given = dict(call.keywords).get("generator")
        if given is None:
            return self._unseeded if self._default is None else self._default
        if isinstance(given, syntax.Name) and given.name in self._named:
            return self._named[given.name]
        raise ProblemError("this is no generator", given.span, "`g = torch.Generator()`")

    def drawn(self, call: Call, dtype: str) -> None:
        """Note what is to be told of the numbers, of `dtype`, that a call has drawn."""
        if self.stream(call) is self._unseeded:
            self._notes[_UNSEEDED] = None
        elif not self._as_torch and dtype == "float64":
            self._notes[_WIDER] = None

    def look_at(self, call: Call) -> None:
        """Note a dropout that may be at work."""
        training = dict(call.keywords).get("training")
        is_off = isinstance(training, syntax.Literal) and not training.value
        if self._as_torch and call.function in ("dropout", "Dropout") and not is_off:
            self._notes[_DROPPED] = None

    def _seed(self, call: Call) -> int:
        if len(call.arguments) == 1 and not call.keywords:
            seed = literal(call.arguments[0], self._known)
            if isinstance(seed, int) and not isinstance(seed, bool):
                return seed
        raise ProblemError("this is not a seed", call.span, "`torch.manual_seed(0)`")
