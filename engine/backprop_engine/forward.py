"""What an operation makes of values, and what people are told where it cannot take them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from backprop_engine.basics.source import OperandError
from backprop_engine.basics.values import Value, dtype_of, evaluate, is_beyond_float32, shape_of
from backprop_engine.budget import LimitError, check_broadcast
from backprop_engine.operation import Operation, operands_of


def counts(dtypes: Iterable[str]) -> bool:
    """Whether Python's whole numbers beside operands of these dtypes stay whole, as in torch.

    They do beside whole numbers, and beside truth values alone: `i + 1`, `2 * mask`, and
    `where(mask, 1, 0)`.
    """
    among = set(dtypes)
    return "int64" in among or among == {"bool"}


def check_held(
    operation: Operation, numbers: Mapping[int, Any], attributes: Mapping[str, Any]
) -> None:
    """Raise OperandError for a number that float32 has no room for, as torch does.

    `numbers` are those among the operands, by their places.
    """
    operands = operands_of(operation.spelling.parameters)
    names = [parameter.name for parameter in operands]
    written = ((names[at] if at < len(names) else "", number) for at, number in numbers.items())
    for name, number in (*written, *attributes.items()):
        if is_beyond_float32(number) and name not in operation.wide:
            raise OperandError(
                f"`{operation.name.partition('.')[0]}` is given {number:g}, which float32 has no "
                "room for",
                "write `float('inf')`, or compute in float64",
            )


def called(
    function: Callable[..., Any],
    operation: Operation,
    values: list[Value],
    attributes: Mapping[str, Any],
) -> Any:
    """What a function of `operation` gives; OperandError where it cannot take the values.

    Sizes are checked first.
    """
    if (operation.elementwise or operation.broadcasts) and np.ndarray in map(type, values):
        check_broadcast(*map(shape_of, values))
    return evaluated(function, operation, values, attributes)


def evaluated(
    function: Callable[..., Any],
    operation: Operation,
    values: list[Value],
    attributes: Mapping[str, Any],
) -> Any:
    """The same where sizes are no matter."""
    try:
        return evaluate(function, values, attributes)
    except OperandError:
        raise
    except MemoryError:
        raise LimitError(f"there is not enough memory left for `{operation.name}`") from None
    except (ValueError, IndexError, TypeError, ArithmeticError) as error:
        raise _refused(operation, values, attributes, error) from error


def _refused(
    operation: Operation, values: list[Value], attributes: Mapping[str, Any], error: Exception
) -> OperandError:
    """numpy's refusal in words that name the operation, the shapes and the attributes."""
    shapes = " and ".join(str(shape_of(value)) for value in values)
    if isinstance(error, TypeError) and "bool" in map(dtype_of, values):
        dtypes = " and ".join(dtype_of(value) for value in values)
        return OperandError(
            f"`{operation.spelling.symbol or operation.name}` is not defined for {dtypes}",
            "make numbers of truth values: `m.float()`",
        )
    if operation.elementwise and len(values) > 1:
        return OperandError(
            f"`{operation.spelling.symbol or operation.name}` cannot broadcast shapes {shapes}",
            "compared from the last axis on, sizes must be equal, or one of them 1",
        )
    given = ", ".join(f"{name}={value}" for name, value in attributes.items())
    said = _in_torch_words(error) or (given and f"not with {given}")
    why = f": {said}" if said else ""
    called = (*operation.spelling.functions, operation.name)[0]
    return OperandError(
        f"`{operation.name}` cannot take shape {shapes}{why}",
        f"`backprop-tui ops {called}` shows what it takes",
    )


def _in_torch_words(error: Exception) -> str:
    """What torch says where numpy has raised `error`; empty where only numpy would say it so."""
    if isinstance(error, np.exceptions.AxisError) and error.axis is not None:
        count = max(error.ndim or 0, 1)
        return (
            f"Dimension out of range (expected to be in range of [{-count}, {count - 1}], "
            f"but got {error.axis})"
        )
    if str(error).startswith("repeated axis"):
        return "a dim appears multiple times in the list of dims"
    if isinstance(error, IndexError) and "is out of bounds for axis" in str(error):
        return str(error).replace("for axis", "for dimension")
    return ""
