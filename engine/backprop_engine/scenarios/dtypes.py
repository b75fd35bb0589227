"""The dtype of a program: all its floats have the same."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from backprop_engine.expressions import syntax
from backprop_engine.expressions.syntax import (
    Action,
    Append,
    Assignment,
    Call,
    Expression,
    Loop,
    Setting,
    Statement,
    Unpacking,
    flat,
    postorder,
)
from backprop_engine.scenarios.tensors import dtype_asked, is_tensor
from backprop_engine.source import ProblemError
from backprop_engine.values import Dtype


def makes_tensors(statements: Iterable[Statement]) -> bool:
    """Whether a program writes tensors out as PyTorch does, so that its numbers are numbers."""
    return any(
        is_tensor(part)
        for one in flat(statements)
        for root in _roots(one)
        for part in postorder(root)
    )


def _roots(statement: Statement) -> tuple[Expression, ...]:
    match statement:
        case Assignment(expression=expression) | Unpacking(expression=expression):
            return (expression,)
        case Action(call=call):
            return (call,)
        case Setting(target=target, value=value):
            return (target, value)
        case Loop(iterable=iterable):
            return (iterable,)
        case Append(value=value):
            return (value,)


def read_dtype(statements: Iterable[Statement], given: Dtype | None) -> Dtype:
    """The one dtype of all floats: that `given`, or what the tensors ask for, or float64.

    Raises ProblemError where they ask for two, or something that is no tensor asks for one.
    """
    asked: Dtype | None = given
    taken: set[Expression] = set()
    names: list[syntax.DtypeName] = []
    for statement in flat(statements):
        for root in _roots(statement):
            for part in postorder(root):
                if isinstance(part, syntax.DtypeName):
                    names.append(part)
                elif isinstance(part, Call):
                    name = dtype_asked(part) if is_tensor(part) else _float_asked(part)
                    if name is not None:
                        taken.add(name)
                        asked = _agreed(asked, name)
    for name in names:
        if name not in taken:
            raise _out_of_place(name)
    return asked or "float64"


_OTHERS: Final = {
    "int64": "write whole numbers out, as in `torch.tensor([0, 2, 1])`",
    "bool": "compare with a number, such as `x != 0`",
}
"""Dtypes that are not of floats, with what to do in place of converting to them."""

_CASTING: Final = frozenset(
    ("sum", "nansum", "mean", "prod", "cumsum", "cumprod", "softmax", "log_softmax", "softmin")
)
"""Functions that convert their operand where they are given a `dtype`."""


def _float_asked(call: Call) -> syntax.DtypeName | None:
    """The dtype of floats that a call which makes no tensor asks for."""
    asked = default_dtype(call) or _conversion(call)
    if asked is None and call.function in _CASTING:
        asked = dtype_asked(call)
    return asked if asked is not None and asked.name.startswith("float") else None


def _conversion(call: Call) -> syntax.DtypeName | None:
    """The dtype in `x.to(torch.float32)`, `x.to(dtype=torch.float32)` and `x.type(…)`."""
    given = (*call.arguments, *(value for name, value in call.keywords if name == "dtype"))
    is_plain = len(given) == len(call.arguments) + len(call.keywords) == 1
    if call.receiver is None or call.function not in ("to", "type") or not is_plain:
        return None
    return given[0] if isinstance(given[0], syntax.DtypeName) else None


def without_dtype(call: Call) -> Call:
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


def _as_float(value: Expression, call: Call) -> Call:
    return Call("float", value, "", (), (), call.function_span, call.span)


def _out_of_place(name: syntax.DtypeName) -> ProblemError:
    message = "a `dtype` is given to a tensor that is written out, and to what converts to it"
    if name.name in _OTHERS:
        message = f"no computed value can be given the dtype {name.name}"
    return ProblemError(
        message,
        name.span,
        "such as `torch.zeros(3, dtype=torch.float64)` or `x.to(torch.float64)`",
        _OTHERS.get(name.name, "leave it out: the scenario's `dtype` decides"),
    )


def default_dtype(call: Call) -> syntax.DtypeName | None:
    """The dtype in `torch.set_default_dtype(torch.float32)`."""
    if call.receiver is None and call.function == "set_default_dtype":
        for argument in call.arguments:
            if isinstance(argument, syntax.DtypeName) and argument.name.startswith("float"):
                return argument
    return None


def _agreed(asked: Dtype | None, name: syntax.DtypeName) -> Dtype | None:
    wanted: Dtype | None = None
    if name.name == "float64":
        wanted = "float64"
    elif name.name == "float32":
        wanted = "float32"
    if wanted and asked and wanted != asked:
        raise ProblemError(
            f"all floats of a program have one dtype, and this one has {asked}",
            name.span,
            fix=f"write `torch.{asked}`",
        )
    return wanted or asked
