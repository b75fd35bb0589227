"""How a call would be written: `torch.softmax({0}, dim=-1)`, its tensors by their order."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import EllipsisType
from typing import Any, Final

import torch

_SIGNS: Final = {
    "add": "+", "sub": "-", "mul": "*", "div": "/", "true_divide": "/", "matmul": "@", "pow": "**",
    "gt": ">", "lt": "<", "ge": ">=", "le": "<=", "eq": "==", "ne": "!=", "floordiv": "//",
}  # fmt: skip
_MOST_TEMPLATES: Final = 20_000
_LONGEST: Final = 400
_WITHOUT_NUMBERS: Final = (
    "inplace",
    "memory_format",
    "device",
    "layout",
    "pin_memory",
    "generator",
)
"""Arguments that change no number of a result."""
_NOTHING: Final = object()
_SCALE: Final = torch.amp.GradScaler.scale
_Tensor: Final = torch.Tensor
_WRITTEN: Final = (int, float, bool, str, type(None), EllipsisType)


class Spelling:
    """The templates of a recording."""

    def __init__(self) -> None:
        self._by_call: dict[object, int] = {}
        self._by_text: dict[str, int] = {}
        self.new: list[str] = []
        """Those that are not in the file yet."""

    def template(
        self, function: Any, args: Sequence[Any], keywords: Mapping[str, Any], *, in_place: bool
    ) -> int:
        """The number of a call's template; −1 where it cannot be written in a line."""
        parts = [function, in_place]
        parts += [_Tensor if type(value) is _Tensor else _key(value) for value in args]
        if keywords:
            parts += [tuple(keywords), *map(_key, keywords.values())]
        key = tuple(parts)
        try:
            found = self._by_call.get(key)
        except TypeError:  # an argument that is not hashable
            return -1
        if found is None:
            found = -1
            if len(self._by_call) < _MOST_TEMPLATES and callable(function):
                found = self._by_call[key] = self._made(function, args, keywords, in_place=in_place)
        return found

    def _made(
        self, function: Any, args: Sequence[Any], keywords: Mapping[str, Any], *, in_place: bool
    ) -> int:
        text = _text(function, args, keywords, in_place=in_place)
        if not text or len(text) > _LONGEST:
            return -1
        found = self._by_text.get(text)
        if found is None:
            found = self._by_text[text] = len(self._by_text)
            self.new.append(text)
        return found


def _key(value: Any) -> object:
    """What makes two arguments be written alike."""
    if isinstance(value, torch.Tensor):
        return torch.Tensor
    kind = type(value)
    if kind is tuple or kind is list or kind is torch.Size:
        return (kind, *map(_key, value))
    if kind is slice:
        return (slice, _key(value.start), _key(value.stop), _key(value.step))
    return (kind, value) if kind in _WRITTEN or kind is torch.dtype else kind


class _UnwrittenError(Exception):
    """An argument that cannot be written down."""


class _Arguments:
    """Arguments as text; each tensor is the next operand."""

    def __init__(self) -> None:
        self.count = 0

    def text(self, value: Any) -> str:
        if isinstance(value, torch.Tensor):
            self.count += 1
            return f"{{{self.count - 1}}}"
        kind = type(value)
        if kind is float and not math.isfinite(value):
            return f'float("{value}")'
        if kind in _WRITTEN:
            return "..." if value is ... else repr(value)
        if kind is torch.dtype:
            return str(value)
        if kind is list:
            return f"[{', '.join(map(self.text, value))}]"
        if kind is tuple or kind is torch.Size:
            return f"({', '.join(map(self.text, value))}{',' * (len(value) == 1)})"
        raise _UnwrittenError

    def index(self, value: Any) -> str:
        if isinstance(value, tuple):
            return ", ".join(map(self.index, value))
        if isinstance(value, slice):
            parts = ["" if part is None else self.text(part) for part in (value.start, value.stop)]
            step = "" if value.step is None else f":{self.text(value.step)}"
            return ":".join(parts) + step
        return self.text(value)


def _text(
    function: Any, args: Sequence[Any], keywords: Mapping[str, Any], *, in_place: bool
) -> str:
    """The call, braces in its texts apart from those of operands left out."""
    if function is _SCALE:
        return "{0} * {1}"
    try:
        text = _call(function, args, keywords, _Arguments(), in_place=in_place)
    except (_UnwrittenError, RecursionError):
        return ""
    return text


def _call(
    function: Any,
    args: Sequence[Any],
    keywords: Mapping[str, Any],
    arguments: _Arguments,
    *,
    in_place: bool,
) -> str:
    name = getattr(function, "__name__", "")
    module = getattr(function, "__module__", None) or ""
    schema = getattr(function, "_schema", None)
    if schema is not None:  # a kernel: `aten::mul`
        name, module = schema.name.rpartition(":")[2], "torch"
    is_method = hasattr(torch.Tensor, name) and module in ("", "torch._tensor")
    if in_place and name.endswith("_") and not name.endswith("__"):
        name = name[:-1]
    if name in ("__get__", "__set__"):
        attribute = getattr(getattr(function, "__self__", None), "__name__", "")
        return f"{arguments.text(args[0])}.{attribute}" if attribute else ""
    if name == "__getitem__":
        return f"{arguments.text(args[0])}[{arguments.index(args[1])}]"
    bare = name.strip("_")
    if name.startswith("__") and bare[:1] == "r" and bare[1:] in _SIGNS and len(args) == 2:
        right = arguments.text(args[0])
        return f"{arguments.text(args[1])} {_SIGNS[bare[1:]]} {right}"
    if is_method and bare in _SIGNS and len(args) == 2 and not keywords:
        return f"{arguments.text(args[0])} {_SIGNS[bare]} {arguments.text(args[1])}"
    if is_method and bare == "neg":
        return f"-{arguments.text(args[0])}"
    if is_method and bare == "invert":
        return f"~{arguments.text(args[0])}"
    if name.startswith("__"):
        return ""
    first = [arguments.text(args[0])] if is_method and args else []
    rest = [arguments.text(value) for value in args[len(first) :]]
    usual = _defaults(function)
    rest += [
        f"{key}={arguments.text(value)}"
        for key, value in keywords.items()
        if key not in _WITHOUT_NUMBERS and not _is_usual(value, usual.get(key, _NOTHING))
    ]
    return f"{first[0] + '.' if first else _prefix(module)}{_public(name)}({', '.join(rest)})"


def _defaults(function: Any) -> Mapping[str, Any]:
    """What the arguments of a function written in Python are where nobody gives them."""
    code, keywords = getattr(function, "__code__", None), getattr(function, "__kwdefaults__", None)
    if code is None:
        return {}
    values = getattr(function, "__defaults__", None) or ()
    names = code.co_varnames[: code.co_argcount]
    usual = zip(names[len(names) - len(values) :], values, strict=True)
    return {**dict(usual), **(keywords or {})}


def _is_usual(value: Any, usual: Any) -> bool:
    return value is usual or (
        type(value) is type(usual) and type(value) in _WRITTEN and value == usual
    )


def _prefix(module: str) -> str:
    if module in ("torch.nn.functional", "torch._C._nn"):
        return "F."
    return "torch."


def _public(name: str) -> str:
    """`special_expit` as `special.expit`."""
    for group in ("special_", "linalg_"):
        if name.startswith(group):
            return f"{group[:-1]}.{name.removeprefix(group)}"
    return name
