"""The dtype of a program: all its floats have the same."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.source import ProblemError, Span
from backprop_engine.basics.values import Dtype
from backprop_engine.grammar import syntax
from backprop_engine.program.tensors import dtype_asked, is_tensor, own_dtype


def makes_tensors(statements: Iterable[syntax.Statement]) -> bool:
    """Whether a program writes tensors out as PyTorch does, so that its numbers are numbers."""
    return any(
        is_tensor(part)
        for statement in syntax.flat(statements)
        for root in _roots(statement)
        for part in syntax.postorder(root)
    )


def _roots(statement: syntax.Statement) -> tuple[syntax.Expression, ...]:
    match statement:
        case syntax.Assignment(expression=expression) | syntax.Unpacking(expression=expression):
            return (expression,)
        case syntax.Action(call=call):
            return (call,)
        case syntax.Setting(target=target, value=value):
            return (target, value)
        case syntax.Loop(iterable=iterable):
            return (iterable,)
        case syntax.Append(value=value):
            return (value,)


@dataclass(frozen=True, slots=True)
class FloatType:
    """A dtype of floats that something asks for, and where it does."""

    dtype: Dtype
    span: Span


class Floats:
    """The one dtype that all floats of a program have, while its text is read.

    A scenario's own dtype is known from the start. In a program of torch's the first float tells:
    torch promotes where dtypes meet, and what would have two is refused rather than guessed at.
    """

    def __init__(self, default: Dtype, *, as_torch: bool) -> None:
        self.default = default
        """What floats have that ask for none."""
        self.as_torch = as_torch
        self._dtype: Dtype | None = None if as_torch else default

    @property
    def dtype(self) -> Dtype:
        """The dtype, as far as it is known."""
        return self._dtype or self.default

    def of_tensor(self, call: syntax.Call) -> FloatType:
        """What the floats have that a call writes out."""
        if (asked := _float_type(dtype_asked(call))) is not None:
            return asked
        own = own_dtype(call) if self.as_torch else None
        return FloatType(own or self.default, call.span)

    def take(self, float_type: FloatType) -> None:
        """Take in a float; ProblemError where it has another dtype than those before it."""
        if self._dtype is None:
            self._dtype = float_type.dtype
        if self.as_torch and float_type.dtype != self._dtype:
            raise _differs(self._dtype, float_type)

    def convert(self, call: syntax.Call) -> None:
        """Take in what a call converts to, if it converts."""
        asked = float_conversion(call) or _cast(call)
        if asked is not None and self.as_torch:
            self.take(asked)
        if call.function == "float_power" and self.as_torch and self.dtype != "float64":
            raise ProblemError(
                f"`float_power` answers in float64, and all floats of this one have {self.dtype}",
                call.function_span,
                fix="write `**`, or begin with `torch.set_default_dtype(torch.float64)`",
            )


def read_floats(
    statements: Iterable[syntax.Statement], given: Dtype | None, *, as_torch: bool = False
) -> Floats:
    """What is known of a program's floats before it is read; `as_torch` if it is torch's own.

    Outside of such, the dtype is that `given`, or what the tensors ask for, or float64. Raises
    ProblemError where they ask for two, or something that is no tensor asks for one.
    """
    asked: Dtype | None = given
    taken: set[syntax.Expression] = set()
    names: list[syntax.DtypeName] = []
    for statement in syntax.flat(statements):
        for root in _roots(statement):
            for part in syntax.postorder(root):
                if isinstance(part, syntax.DtypeName):
                    names.append(part)
                elif isinstance(part, syntax.Call):
                    name = dtype_asked(part) if is_tensor(part) else _float_asked(part)
                    if name is not None:
                        taken.add(name)
                        asked = asked if as_torch else _agreed(asked, name)
    for name in names:
        if name not in taken:
            raise _out_of_place(name)
    default: Dtype = "float32" if as_torch else "float64"
    return Floats(asked or default, as_torch=as_torch)


def _float_type(name: syntax.DtypeName | None) -> FloatType | None:
    if name is None or not name.name.startswith("float"):
        return None
    return FloatType("float64" if name.name == "float64" else "float32", name.span)


def float_conversion(call: syntax.Expression) -> FloatType | None:
    """What `x.double()`, `x.float()` and `x.to(torch.float64)` convert to; None for all else."""
    if not isinstance(call, syntax.Call) or call.receiver is None:
        return None
    if call.function in ("float", "double") and not call.arguments and not call.keywords:
        dtype: Dtype = "float64" if call.function == "double" else "float32"
        return FloatType(dtype, call.function_span)
    return _float_type(_conversion(call))


def _cast(call: syntax.Call) -> FloatType | None:
    """What `x.sum(dtype=torch.float64)` converts its operand to."""
    return _float_type(dtype_asked(call)) if call.function in _CASTING else None


_OTHERS: Final = {
    "int64": "write whole numbers out, as in `torch.tensor([0, 2, 1])`",
    "bool": "compare with a number, such as `x != 0`",
}
"""Dtypes that are not of floats, with what to do in place of converting to them."""

_CASTING: Final = frozenset(
    ("sum", "nansum", "mean", "prod", "cumsum", "cumprod", "softmax", "log_softmax", "softmin")
)
"""Functions that convert their operand where they are given a `dtype`."""


def _float_asked(call: syntax.Call) -> syntax.DtypeName | None:
    """The dtype of floats that a call which makes no tensor asks for."""
    asked = default_dtype(call) or _conversion(call)
    if asked is None and call.function in _CASTING:
        asked = dtype_asked(call)
    return asked if asked is not None and asked.name.startswith("float") else None


def _conversion(call: syntax.Call) -> syntax.DtypeName | None:
    """The dtype in `x.to(torch.float32)`, `x.to(dtype=torch.float32)` and `x.type(…)`."""
    given = (*call.arguments, *(value for name, value in call.keywords if name == "dtype"))
    is_plain = len(given) == len(call.arguments) + len(call.keywords) == 1
    if call.receiver is None or call.function not in ("to", "type") or not is_plain:
        return None
    return given[0] if isinstance(given[0], syntax.DtypeName) else None


def without_dtype(call: syntax.Call) -> syntax.Call:
    """`x.float()` for `x.to(torch.float32)`, `x.float().sum()` for `x.sum(dtype=torch.float32)`.

    All floats have one dtype, which `read_dtype` has found to be that.
    """
    if call.receiver is not None and _conversion(call) is not None:
        return _as_float(call.receiver, call)
    if call.function not in _CASTING or dtype_asked(call) is None:
        return call
    keywords = tuple((name, value) for name, value in call.keywords if name != "dtype")
    if call.receiver is not None:
        return replace(call, receiver=_as_float(call.receiver, call), keywords=keywords)
    if not call.arguments:
        return call
    first, *others = call.arguments
    return replace(call, arguments=(_as_float(first, call), *others), keywords=keywords)


def _as_float(value: syntax.Expression, call: syntax.Call) -> syntax.Call:
    return syntax.Call("float", value, "", (), (), call.function_span, call.span)


def _out_of_place(name: syntax.DtypeName) -> ProblemError:
    message = "a `dtype` is given to a tensor that is written out, and to what converts to it"
    if name.name in _OTHERS:
        message = f"no computed value can be given the dtype {name.name}"
    return ProblemError(
        message,
        name.span,
        "such as `torch.zeros(3, dtype=torch.float64)` or `x.to(torch.float64)`",
        _OTHERS.get(name.name, "leave it out: all floats have one dtype"),
    )


def default_dtype(call: syntax.Call) -> syntax.DtypeName | None:
    """The dtype in `torch.set_default_dtype(torch.float32)`."""
    if call.receiver is None and call.function == "set_default_dtype":
        for argument in call.arguments:
            if isinstance(argument, syntax.DtypeName) and argument.name.startswith("float"):
                return argument
    return None


def _agreed(asked: Dtype | None, name: syntax.DtypeName) -> Dtype | None:
    float_type = _float_type(name)
    if float_type is None:
        return asked
    if asked and float_type.dtype != asked:
        raise ProblemError(
            f"all floats of a program have one dtype, and this one has {asked}",
            name.span,
            fix=f"write `torch.{asked}`",
        )
    return float_type.dtype


def _differs(dtype: Dtype, float_type: FloatType) -> ProblemError:
    return ProblemError(
        f"all floats of a program have one dtype, and this one has {dtype}: "
        f"{float_type.dtype} beside it would be promoted",
        float_type.span,
        f"{dtype}, as above",
        f"write `torch.{dtype}`, or begin with `torch.set_default_dtype(torch.{float_type.dtype})`",
    )
