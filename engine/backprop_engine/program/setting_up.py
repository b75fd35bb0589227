"""What a program sets up for its tensors: names of dtypes and devices.

A device changes no number, and is left out wherever it is given; a name of a dtype is replaced by
the dtype.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, replace
from typing import Any, Final

from backprop_engine.basics.source import ProblemError
from backprop_engine.grammar import syntax

_DEVICE: Final = re.compile(r"(?:cpu|cuda|mps|xpu)(?::\d+)?")
_IDLE: Final = ("non_blocking", "pin_memory")
"""Keywords about where a tensor is, besides its device."""


def without_setup(statements: Iterable[syntax.Statement]) -> tuple[syntax.Statement, ...]:
    """The statements with dtypes spelt out and devices left out."""
    return _Setup().read(statements)


class _Setup:
    """The names of dtypes and devices, while the text is read."""

    def __init__(self) -> None:
        self._dtypes: dict[str, str] = {}
        self._devices: set[str] = set()

    def read(self, statements: Iterable[syntax.Statement]) -> tuple[syntax.Statement, ...]:
        """The statements, without those that only name a dtype or a device."""
        return tuple(
            statement for statement in map(self._read, statements) if statement is not None
        )

    def _read(
        self, statement: syntax.Statement
    ) -> syntax.Statement | None:  # loops are nested 20 deep at most
        match statement:
            case syntax.Assignment(name=name, expression=syntax.DtypeName(name=dtype)):
                self._forget((name,))
                self._dtypes[name] = dtype
                return None
            case syntax.Assignment(name=name, expression=expression) if self._is_device(expression):
                self._forget((name,))
                self._devices.add(name)
                return None
            case syntax.Assignment(expression=syntax.Literal(value=value, span=span)):
                what = "a text" if isinstance(value, str) else f"`{value}`"
                raise ProblemError(
                    f"{what} is not a value to compute with", span, "a number or a name"
                )
            case syntax.Assignment() | syntax.Unpacking():
                made = replace(statement, expression=self._rewritten(statement.expression))
                self._forget(name.name for name in statement.names)
                return made
            case syntax.Append():
                return replace(statement, value=self._rewritten(statement.value))
            case syntax.Action():
                call = self._rewritten(statement.call)
                return replace(statement, call=call) if isinstance(call, syntax.Call) else None
            case syntax.Setting():
                return replace(statement, value=self._rewritten(statement.value))
            case syntax.Loop():
                iterable = self._rewritten(statement.iterable)
                return replace(statement, iterable=iterable, body=self.read(statement.body))

    def _forget(self, names: Iterable[str]) -> None:
        for name in names:
            self._dtypes.pop(name, None)
            self._devices.discard(name)

    def _rewritten(self, root: syntax.Expression) -> syntax.Expression:
        return rewritten(root, self._changed)

    def _is_device(self, expression: syntax.Expression) -> bool:
        match expression:
            case syntax.Literal(value=str(text)):
                return _DEVICE.fullmatch(text) is not None
            case syntax.Name(name=name):
                return name in self._devices
            case syntax.Call(function="device", prefix="torch", arguments=(of, *_)):
                return self._is_device(of)
            case syntax.Attribute(name="device"):
                return True
            case _:
                return False

    def _changed(self, part: syntax.Expression) -> syntax.Expression:
        if not isinstance(part, syntax.Call):
            return part
        keywords = tuple(
            (name, self._dtype(value) if name == "dtype" else value)
            for name, value in part.keywords
            if not (name == "device" and self._is_device(value)) and name not in _IDLE
        )
        arguments = part.arguments
        if part.function in ("to", "type", "set_default_dtype"):
            kept = (argument for argument in arguments if not self._is_device(argument))
            arguments = tuple(map(self._dtype, kept))
        is_moved = part.function in ("cpu", "cuda") or (
            part.function == "to" and (arguments, keywords) != (part.arguments, part.keywords)
        )
        if part.receiver is not None and is_moved and not arguments and not keywords:
            return part.receiver
        if (arguments, keywords) == (part.arguments, part.keywords):
            return part
        return replace(part, arguments=arguments, keywords=keywords)

    def _dtype(self, expression: syntax.Expression) -> syntax.Expression:
        if isinstance(expression, syntax.Name) and expression.name in self._dtypes:
            return syntax.DtypeName(self._dtypes[expression.name], expression.span)
        return expression


def rewritten(
    root: syntax.Expression, change: Callable[[syntax.Expression], syntax.Expression]
) -> syntax.Expression:
    """The tree with each part as `change` makes it, the innermost first.

    Parts that `change` leaves alone, and all that they are made of, stay the same objects.
    """
    changed: dict[syntax.Expression, syntax.Expression] = {}
    for part in syntax.postorder(root):
        made = change(_with(part, changed))
        if made is not part:
            changed[part] = made
    return changed.get(root, root)


def _with(
    part: syntax.Expression, changed: Mapping[syntax.Expression, syntax.Expression]
) -> syntax.Expression:
    """`part` with the changed ones in the place of its own."""
    if not any(child in changed for child in syntax.children(part)):
        return part

    def of(value: Any) -> Any:
        """What a field has then: an expression, or a tuple of what has some."""
        if isinstance(value, tuple):
            return tuple(map(of, value))
        return changed.get(value, value) if isinstance(value, syntax.Expression) else value

    return replace(part, **{field.name: of(getattr(part, field.name)) for field in fields(part)})
