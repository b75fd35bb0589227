"""A PyTorch program that is being written, and run by torch statement by statement as it grows."""

from __future__ import annotations

import contextlib
import io
import math
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any

import torch

_LARGEST = 80
"""Elements of a value that is kept."""
_TOO_LARGE = 1e4
"""Numbers of a value that is kept, unless extremes are wanted."""

PLAIN = (0.5, -1.5, 2.0, 0.25, -0.75, 3.0, 1.2, -2.3, 0.1, 0.7, -0.4, 1.0)
TIED = (1.0, 2.0, 2.0, 0.0, -1.0, 2.0, 0.5)
EXTREME = (
    0.0, -0.0, 1.0, -1.0, 0.5, 1e20, -1e20, 1e-20, 1e-38, 88.0, 100.0, -110.0, 3e38, 1e-45,
    16777217.0, math.inf, -math.inf, math.nan,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Style:
    """What a program is like as a whole."""

    dtype: str
    """Of its floats."""
    says_dtype: str
    """`once`, by `set_default_dtype`; `always`, at every tensor; or `never`."""
    numbers: tuple[float, ...]

    @property
    def is_extreme(self) -> bool:
        """Whether inf and nan are welcome."""
        return self.numbers is EXTREME

    @property
    def keyword(self) -> str:
        """What every call that makes floats needs said."""
        return f", dtype=torch.{self.dtype}" if self.says_dtype == "always" else ""


class Unfit(Exception):  # noqa: N818 - no fault: another statement is drawn
    """There is nothing in the program so far that a statement could be about."""


@contextmanager
def quietly() -> Iterator[None]:
    """Run a program of torch's: nothing is printed, and torch is as it was afterwards."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    try:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        torch.set_default_dtype(before)
        torch.set_grad_enabled(True)


@dataclass
class Draft:
    """The statements so far, and what they leave behind."""

    random: Random
    style: Style
    statements: list[str] = field(default_factory=list)
    names: dict[str, Any] = field(default_factory=dict)
    is_over: bool = False
    """Whether torch has refused the last statement: nothing can follow it."""

    @property
    def text(self) -> str:
        """The whole program."""
        return "\n".join(self.statements) + "\n"

    def run(self, statement: str, *, may_fail: float = 0.0) -> bool:
        """Add a statement if torch runs it and what it leaves is of interest.

        One that torch refuses is the last of the program, with probability `may_fail`.
        """
        before = dict(self.names)
        try:
            exec(compile(statement, "program", "exec"), self.names)
        except Exception:  # noqa: BLE001 - whatever torch raises, the other side shall raise too
            self.names = before
            self.is_over = self.random.random() < may_fail
            if self.is_over:
                self.statements.append(statement)
            return self.is_over
        self.statements.append(statement)
        if all(self._is_of_interest(name) for name in self.names.values()):
            return True
        # What was changed in place cannot be undone: run what there was before once more.
        self.statements.pop()
        self.names = {}
        exec(compile(self.text, "program", "exec"), self.names)
        return False

    def _is_of_interest(self, value: Any) -> bool:
        if isinstance(value, list | tuple):
            # A list that was appended to itself goes on for ever.
            items = [one for one in value if not isinstance(one, list)]
            return len(items) == len(value) <= 20 and all(map(self._is_of_interest, items))
        if isinstance(value, int | float) and not isinstance(value, bool):
            return self.style.is_extreme or abs(value) < _TOO_LARGE
        if not isinstance(value, torch.Tensor):
            return True
        if value.numel() > _LARGEST or value.ndim > 4 or value.is_complex():
            return False
        if self.style.is_extreme or not value.numel():
            return True
        return bool(value.detach().double().abs().max() < _TOO_LARGE)  # not of nan

    # What there is

    def new(self) -> str:
        """A name for another value; now and then one that is taken."""
        taken = self.tensors(is_computed)
        if taken and self.random.random() < 0.12:
            return self.random.choice(taken)
        at = 0
        while (name := "abcdefghklmnopqrstuvw"[at % 21] + ("" if at < 21 else str(at // 21))) in (
            self.names
        ):
            at += 1
        return name

    def tensors(self, fits: Callable[[torch.Tensor], bool] = lambda _: True) -> list[str]:
        """The names of tensors of floats."""
        return [
            name
            for name, one in self.names.items()
            if isinstance(one, torch.Tensor) and one.is_floating_point() and fits(one)
        ]

    def others(self, kind: type | torch.dtype) -> list[str]:
        """The names of tensors of whole numbers or truth values, or of Python's own lists."""
        if isinstance(kind, torch.dtype):
            return [
                name
                for name, one in self.names.items()
                if isinstance(one, torch.Tensor) and one.dtype == kind
            ]
        return [name for name, one in self.names.items() if type(one) is kind and name[0] != "_"]

    def choose(self, names: list[str]) -> str:
        """One of the names, the later ones rather."""
        if not names:
            raise Unfit
        if self.random.random() < 0.5:
            return names[-1 - min(int(self.random.expovariate(0.7)), len(names) - 1)]
        return self.random.choice(names)

    # Numbers

    def number(self) -> str:
        """One, as it is written."""
        return written(self.random.choice(self.style.numbers))

    def tensor(self, shape: tuple[int, ...], *, asks: str = "") -> str:
        """A call of `torch.tensor` with numbers written out; `asks` are its keywords."""
        return f"torch.tensor({self.nested(shape, self.number)}{self.style.keyword}{asks})"

    def nested(self, shape: tuple[int, ...], item: Callable[[], str]) -> str:
        """Lists in lists."""
        if not shape:
            return item()
        return f"[{', '.join(self.nested(shape[1:], item) for _ in range(shape[0]))}]"


def is_computed(tensor: torch.Tensor) -> bool:
    """Whether it has a history, which torch itself cannot tell of a view whose base has changed."""
    try:
        return tensor.grad_fn is not None
    except RuntimeError:
        return True


def written(number: float) -> str:
    """A number in Python."""
    return f'float("{number}")' if not math.isfinite(number) else repr(number)
