"""The dtype of a program: all its floats have the same."""

from __future__ import annotations

from collections.abc import Iterable

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
                    name = dtype_asked(part) if is_tensor(part) else default_dtype(part)
                    if name is not None:
                        taken.add(name)
                        asked = _agreed(asked, name)
    for name in names:
        if name not in taken:
            raise ProblemError(
                "a `dtype` is given to a tensor that is written out, and to nothing else",
                name.span,
                "such as `torch.zeros(3, dtype=torch.float64)`",
                "leave it out: the scenario's `dtype` decides",
            )
    return asked or "float64"


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
