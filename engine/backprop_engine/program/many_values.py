"""What a name can stand for besides a value: outputs, a list, a shape, a range, a function.

None of them is a node. A node is what is picked out of them, by an index, a name or by unpacking.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.source import ProblemError, Span
from backprop_engine.basics.suggestions import listed
from backprop_engine.basics.values import Shape
from backprop_engine.operation import Operation
from backprop_engine.program.nn_modules import Module


@dataclass(frozen=True, slots=True, eq=False)
class Outputs:
    """One application of an operation with several outputs, none of which is computed yet."""

    operation: Operation
    operands: tuple[int, ...]
    attributes: Mapping[str, Any]
    names: tuple[str, ...]
    """`values`, `indices`; or `0`, `1`, … where they have none."""
    span: Span
    is_recorded: bool
    """False inside of `with no_grad:`."""

    def __len__(self) -> int:
        return len(self.names)


@dataclass(slots=True, eq=False)
class Bundle:
    """A list or a tuple, `[x, 2*x]`: values, and whatever else a name can stand for.

    It is the one thing here that grows, by `hs.append(h)`, under all the names that it has.
    """

    items: list[int | Group]
    is_tuple: bool = False
    """Whether Python has a tuple there: as an index another thing than a list, and `+=` makes a new
    one."""

    def __len__(self) -> int:
        return len(self.items)


@dataclass(frozen=True, slots=True, eq=False)
class Whole:
    """A whole number of Python's, as `i` is in `for i in range(3)`: a constant where it is used."""

    value: int

    def __len__(self) -> int:
        return 0


@dataclass(frozen=True, slots=True, eq=False)
class Counting:
    """Whole numbers, one after the other: `range(3)`."""

    numbers: range

    def __len__(self) -> int:
        return len(self.numbers)


@dataclass(frozen=True, slots=True, eq=False)
class Sizes:
    """A shape: whole numbers, as Python has them."""

    shape: Shape

    def __len__(self) -> int:
        return len(self.shape)


Group = Outputs | Bundle | Sizes | Module | Whole | Counting


def not_one_value(group: Group, text: str, span: Span) -> ProblemError:
    """All of a group stands where one value is needed; `text` is how the program calls it."""
    count = len(group)
    if isinstance(group, Module):
        return ProblemError(
            f"`{text}` is a {group.kind}, not a value",
            span,
            fix=f"call it with the values it takes: `{text}(…)`",
        )
    if isinstance(group, Sizes):
        return ProblemError(
            f"`{text}` is the shape {group.shape}, not a value",
            span,
            fix=f"pick one of its numbers: `{text}[0]`" if count else "it has no axis to pick",
        )
    if isinstance(group, Whole | Counting):
        return ProblemError(f"`{text}` counts, and a value is needed here", span)
    if isinstance(group, Bundle):
        stack = "make one of them with `torch.stack` or `torch.cat`"
        return ProblemError(
            f"this is a list of {count} values, not one value",
            span,
            fix=f"pick one of them, such as `{text}[0]`, or {stack}" if count else "",
        )
    ways = [f"{text}[{at}]" for at in range(min(count, 2))]
    named = [f"{text}.{name}" for name in group.names if not name.isdecimal()]
    return ProblemError(
        f"`{text}` gives {count} values{_called(group)}, and one is needed here",
        span,
        fix=f"pick one: {listed(named or ways)}",
    )


def _called(group: Outputs) -> str:
    named = [f"`{name}`" for name in group.names if not name.isdecimal()]
    return f" ({' and '.join(named)})" if named else ""


def position_of(group: Group, index: Any, text: str, span: Span) -> int:
    """Which one `[index]` picks, counted from 0; ProblemError where there is none."""
    count = len(group)
    if isinstance(group, Module | Whole) or isinstance(index, bool) or not isinstance(index, int):
        raise not_one_value(group, text, span)
    if not -count <= index < count:
        raise ProblemError(
            f"`{text}` has {count} values, and none is at [{index}]",
            span,
            f"a whole number from {-count} to {count - 1}" if count else "",
        )
    return index % count


def check_count(count: int, names: int, text: str, span: Span) -> None:
    """Raise ProblemError where so many names do not take exactly so many values."""
    if count == names:
        return
    said = (
        f"too many values to unpack (expected {names})"
        if count > names
        else f"not enough values to unpack (expected {names}, got {count})"
    )
    what = f"`{text}` gives {count} value{'' if count == 1 else 's'}"
    plural = "name stands" if names == 1 else "names stand"
    raise ProblemError(
        f"{said}: {what}, and {names} {plural} before the `=`",
        span,
        fix=f"write {count} name{'' if count == 1 else 's'}; `_` for one not used" if count else "",
    )
