"""A sample of torch's database as a line in our language, with its tensors as inputs.

torch.nn.functional.softmax(x0, dim=-1)        x0.softmax(-1)        2 - x0
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import EllipsisType
from typing import Any

import torch
from tests.catalogue.database import REFLECTED, functions_of

from backprop_engine.catalogue import BINARY, FUNCTIONS, PROPERTIES

LARGEST = 1000
"""Elements of one tensor."""

_FIRST: Mapping[str, int] = {"einsum": 1, "embedding": 1, "where": 1, "polygamma": 1}
"""Functions whose first argument stands at this place in the database."""


class Reason(Enum):
    """Why a sample is not run. There are no other reasons."""

    COMPLEX = "complex numbers"
    LARGE = f"more than {LARGEST} elements"
    DTYPE = "a dtype that inputs cannot have"
    OTHER_FLOAT = "an output of another float dtype than the operands'; here there is but one"
    RANDOM = "random numbers"
    ARGUMENT = "an argument that cannot be written (a device, a memory format)"
    KEYWORD = "a keyword or argument we do not know, refused by name"
    VALUE = "a value of an argument we do not know, refused by name"
    OPERANDS = "operands we do not take, refused in words"
    UNSUPPORTED = "refused by name as not supported"


class CannotWriteError(Exception):
    """A sample that cannot be written as a line of ours."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.value)
        self.reason = reason


@dataclass
class Line:
    """An expression, and the tensors that its names stand for."""

    dtype: torch.dtype
    expression: str = ""
    tensors: dict[str, torch.Tensor] = field(default_factory=dict)

    def text(self, argument: Any) -> str:
        """An argument as it is written; a tensor becomes an input. Raises CannotWriteError."""
        match argument:
            case torch.Tensor():
                return self._name(argument)
            case slice():
                parts = (argument.start, argument.stop, argument.step)
                shown = ["" if part is None else self.text(part) for part in parts]
                return ":".join(shown if argument.step is not None else shown[:2])
            case tuple():
                items = [self.text(one) for one in argument]
                return f"({', '.join(items)}{',' * (len(items) == 1)})"
            case list():
                return f"[{', '.join(map(self.text, argument))}]"
            case _:
                return _plain(argument)

    def _name(self, tensor: torch.Tensor) -> str:
        if tensor.dtype.is_complex:
            raise CannotWriteError(Reason.COMPLEX)
        if tensor.dtype not in (self.dtype, torch.int64, torch.bool):
            raise CannotWriteError(Reason.DTYPE)
        if tensor.numel() > LARGEST:
            raise CannotWriteError(Reason.LARGE)
        name = f"x{len(self.tensors)}"
        self.tensors[name] = tensor
        return name


def _plain(argument: Any) -> str:
    """Anything without parts: a number, a word, a name."""
    match argument:
        case None | bool() | torch.dtype():
            return str(argument)
        case str():
            return f"'{argument}'"
        case complex():
            raise CannotWriteError(Reason.COMPLEX)
        case int():
            return str(int(argument))
        case float():
            return repr(argument) if math.isfinite(argument) else _not_finite(argument)
        case EllipsisType():
            return "..."
        case _:
            raise CannotWriteError(Reason.ARGUMENT)


def _not_finite(number: float) -> str:
    if math.isnan(number):
        return "torch.nan"
    return "torch.inf" if number > 0 else "-torch.inf"


def spellings(entry: Any) -> list[str]:
    """Every way to write a call of this entry: dotted functions, `.method`, an operator."""
    name = entry.name
    if name in REFLECTED or name == "__getitem__":
        return [name]
    found = [f"torch.{one}" for one in functions_of(entry) if _exists(one)]
    last = name.rpartition(".")[2]
    if hasattr(torch.Tensor, last) and _module_is_torch(name):
        if last in FUNCTIONS or f"Tensor.{last}" in FUNCTIONS:
            found.append(f".{last}()")
        if last in PROPERTIES:
            found.append(f".{last}")
    found += [symbol for symbol, one in BINARY.items() if one.name == name]
    return found


def _exists(name: str) -> bool:
    """Whether torch has it as a function; `view` and its like are methods only."""
    found: Any = torch
    for part in name.split("."):
        found = getattr(found, part, None)
    return callable(found)


def _module_is_torch(name: str) -> bool:
    return "." not in name


def write(entry: Any, sample: Any, spelling: str, dtype: torch.dtype) -> Line:
    """The sample in one of the `spellings`; as a function where it does not fit that one.

    Raises CannotWriteError.
    """
    if _is_random(entry, sample):
        raise CannotWriteError(Reason.RANDOM)
    line = Line(dtype)
    arguments = [sample.input, *sample.args]
    if entry.name in REFLECTED:
        right, left = map(line.text, arguments)
        line.expression = _binary(left, REFLECTED[entry.name][0], right)
    elif spelling in BINARY and len(arguments) == 2 and not sample.kwargs:
        left, right = map(line.text, arguments)
        line.expression = _binary(left, spelling, right)
    elif entry.name == "__getitem__":
        receiver, index = line.text(sample.input), sample.args[0]
        items = index if isinstance(index, tuple) else (index,)
        line.expression = f"{receiver}[{', '.join(map(line.text, items))}]"
    elif spelling.startswith(".") and not spelling.endswith("()"):
        line.expression = line.text(sample.input) + spelling
    else:
        _write_call(line, entry, sample, spelling)
    return line


def _binary(left: str, symbol: str, right: str) -> str:
    return " ".join((_operand(left), symbol, _operand(right)))


def _operand(text: str) -> str:
    return f"({text})" if text.startswith("-") else text


def _write_call(line: Line, entry: Any, sample: Any, spelling: str) -> None:
    is_method = spelling.startswith(".") and isinstance(sample.input, torch.Tensor)
    function = spelling
    if spelling in BINARY or (spelling.startswith(".") and not is_method):
        function = f"torch.{entry.name}"
    arguments = [sample.input, *sample.args]
    last = entry.name.rpartition(".")[2]
    if last in _FIRST and not is_method:
        arguments.insert(0, arguments.pop(_FIRST[last]))
    shown = [line.text(argument) for argument in arguments]
    if last.endswith("_"):  # the database changes a copy in place, and so is a leaf left alone
        shown[0] += ".clone()"
    keywords = [f"{name}={line.text(one)}" for name, one in sample.kwargs.items()]
    if is_method:
        line.expression = f"{shown[0]}{spelling[:-2]}({', '.join(shown[1:] + keywords)})"
    else:
        line.expression = f"{function}({', '.join(shown + keywords)})"


def _is_random(entry: Any, sample: Any) -> bool:
    """Whether torch draws random numbers for it."""
    if "dropout" in entry.name:
        return bool(sample.kwargs.get("training", True) and sample.kwargs.get("p", 0.5))
    return bool(sample.kwargs.get("dropout_p", 0.0))
