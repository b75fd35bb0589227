"""The table of calls, as it grows."""

from __future__ import annotations

import sys
import weakref
from types import CodeType
from typing import Any, Final

import numpy as np
import torch

from backprop_engine.recording.layout import FORWARD_FLAGS
from backprop_recorder.places import Places
from backprop_recorder.spelling import Spelling
from backprop_recorder.tensors import pointer, tensors_in, version
from backprop_recorder.values import Values
from backprop_recorder.writer import Writer

_SKIPPED: Final = {
    "grad", "grad_fn", "_base", "shape", "backward", "empty", "empty_like", "new_empty",
    "empty_strided", "resize_", "data", "requires_grad", "is_leaf", "dtype", "device", "layout",
    "unsafe_chunk", "retain_grad", "register_hook",
}  # fmt: skip
"""What makes no value: what is asked of a tensor, and memory that holds whatever lay there."""
_MANY: Final = 4096


Line = tuple[CodeType, int]
_Known = tuple[weakref.ref[torch.Tensor], int, int, Line | None]
"""A tensor, its value, the version it had then, and the line it was made in."""


class Calls:
    """What was called with which values, and which values have come of it."""

    def __init__(self, writer: Writer, values: Values, places: Places) -> None:
        self._writer, self._values, self._places = writer, values, places
        self._spelling = Spelling()
        self.count = 0
        self._known: dict[int, _Known] = {}
        """By tensor: an address proves nothing once the tensor is gone."""
        self._line: Line | None = None
        """Where what is kept now was called."""
        self._calls: list[tuple[int, ...]] = []
        self._operands: list[list[int]] = []
        self._outputs: list[list[tuple[int, int, int]]] = []
        self._functions: dict[Any, int] = {}
        self._function_count = 0
        self._new_functions: list[tuple[str, str]] = []
        self._new_names: list[tuple[int, str]] = []
        self._new_origins: list[tuple[int, int, int]] = []

    def keep(
        self,
        func: Any,
        function: int,
        before: int,
        after: int,
        args: Any,
        kwargs: Any,
        outputs: list[torch.Tensor],
        flags: int,
    ) -> None:
        """Keep one call: its place, its operands and outputs, and how it is written."""
        frame = sys._getframe(1)
        stack, module, innermost, stored = self._places.here(frame)
        self._line = None if innermost is None else (innermost.f_code, innermost.f_lineno)
        first = args[0] if len(args) else None
        result = outputs[0]
        if result is first and len(outputs) == 1:
            known = self._known_value(result)
            if known is not None and before == after:  # handed through: `x.requires_grad_()`
                self._name_value(known, result, stored)
                return
        in_place = result is first
        operands = [
            self._operand(tensor, innermost, is_changed=in_place and tensor is result)
            for tensor in tensors_in(args, kwargs)
        ]
        made = [
            self._output(tensor, operands, args, is_only=len(outputs) == 1) for tensor in outputs
        ]
        if stored and len(outputs) == 1:
            self._places.name(result, stored)
        template = self._spelling.template(func, args, kwargs, in_place=in_place)
        flags |= FORWARD_FLAGS["in_place"] * in_place
        self._calls.append((before, after, function, stack, module, template, flags))
        self._operands.append(operands)
        self._outputs.append(made)
        self.count += 1
        if len(self._calls) >= _MANY:
            self.flush()

    def _name_value(self, value: int, tensor: torch.Tensor, stored: str) -> None:
        if stored and not self._places.name_of(tensor):
            self._places.name(tensor, stored)
            self._new_names.append((value, stored))

    def _known_value(self, tensor: torch.Tensor, *, of_any_version: bool = False) -> int | None:
        found = self._known.get(id(tensor))
        if found is None or found[0]() is not tensor:
            return None
        return found[1] if of_any_version or found[2] == version(tensor) else None

    def _operand(self, tensor: torch.Tensor, frame: Any, *, is_changed: bool) -> int:
        """Its value; of what was just changed in place that before, if it is known."""
        value = self._known_value(tensor, of_any_version=is_changed)
        if value is None and is_changed:
            return self._values.gone(tensor)
        if value is None:
            value = self._met(tensor)
            name = self._places.name_of(tensor)
            if not name:
                name = self._places.variable(tensor, frame)
                if name:
                    self._places.name(tensor, name)
            if name:
                self._new_names.append((value, name))
        elif not is_changed:
            self._name_later(tensor, value, frame)
        return value

    def _name_later(self, tensor: torch.Tensor, value: int, frame: Any) -> None:
        """What another line has made, and no name was known of there, may have one here."""
        known = self._known[id(tensor)]
        if known[3] is None or known[3] == self._line:
            return
        self._known[id(tensor)] = (*known[:3], None)
        if not self._places.name_of(tensor) and (name := self._places.variable(tensor, frame)):
            self._places.name(tensor, name)
            self._new_names.append((value, name))

    def _add(self, tensor: torch.Tensor) -> int:
        value = self._values.add(tensor)
        self._known[id(tensor)] = weakref.ref(tensor), value, version(tensor), self._line
        return value

    def _output(
        self, tensor: torch.Tensor, operands: list[int], args: Any, *, is_only: bool
    ) -> tuple[int, int, int]:
        first = args[0] if len(args) else None
        value = None
        if isinstance(first, torch.Tensor) and tensor is not first and operands:
            is_like = tensor.dtype is first.dtype and tensor.numel() == first.numel() > 1
            if is_like and pointer(tensor) == pointer(first) != 0:
                value = self._values.alias(
                    operands[0], first, tensor, is_new=True
                )  # a view of it all
                self._known[id(tensor)] = weakref.ref(tensor), value, version(tensor), self._line
        if value is None:
            value = self._add(tensor)
        if is_only or tensor.grad_fn is None:
            return value, -1, tensor.output_nr
        return value, tensor.grad_fn._sequence_nr(), tensor.output_nr

    def value_of(self, tensor: torch.Tensor) -> int:
        """The value of a tensor as it is; it is kept where it was not met before."""
        value = self._known_value(tensor)
        return self._met(tensor) if value is None else value

    def _met(self, tensor: torch.Tensor) -> int:
        """The value of a tensor that no call has given: of a graph it tells where it belongs."""
        value = self._add(tensor)
        if tensor.grad_fn is not None:
            self._new_origins.append((value, tensor.grad_fn._sequence_nr(), tensor.output_nr))
        return value

    def function(self, func: Any) -> int:
        """The number of what was called; −1 where its results are nothing to keep."""
        number = self._functions.get(func)
        if number is not None:
            return number
        name = getattr(func, "__name__", None) or str(func)
        if name in ("__get__", "__set__"):
            name = getattr(getattr(func, "__self__", None), "__name__", name)
        number = -1
        if name not in _SKIPPED:
            number, self._function_count = self._function_count, self._function_count + 1
            self._new_functions.append((getattr(func, "__module__", None) or "", name))
        self._functions[func] = number
        return number

    def flush(self) -> None:
        """Write what has come in."""
        places, values, spelling = self._places, self._values, self._spelling
        new = {
            "sites": places.new_sites,
            "stacks": places.new_stacks,
            "functions": self._new_functions,
            "modules": places.new_modules,
            "shapes": values.new_shapes,
            "templates": spelling.new,
            "names": self._new_names,
            "origins": self._new_origins,
        }
        if any(new.values()):
            self._writer.json("strings", new)
            places.new_sites, places.new_stacks, places.new_modules = [], [], []
            values.new_shapes, spelling.new = [], []
            self._new_functions, self._new_names, self._new_origins = [], [], []
        values.flush()
        if self._calls:
            self._write_calls()

    def _write_calls(self) -> None:
        names = ("before", "after", "function", "stack", "module", "template", "flags")
        kinds = (np.int64, np.int64, np.int32, np.int32, np.int32, np.int32, np.uint8)
        columns: dict[str, np.ndarray] = {
            name: np.array(column, kind)
            for name, kind, column in zip(names, kinds, zip(*self._calls, strict=True), strict=True)
        }
        columns["operand_counts"] = np.array([len(row) for row in self._operands], np.int32)
        columns["operands"] = np.array([n for row in self._operands for n in row], np.int64)
        columns["output_counts"] = np.array([len(row) for row in self._outputs], np.int32)
        made = [row for rows in self._outputs for row in rows]
        columns["outputs"] = np.array(made, np.int64).reshape(-1, 3)
        self._writer.table("calls", columns, first=self.count - len(self._calls))
        self._calls, self._operands, self._outputs = [], [], []

    def forget_all(self) -> None:
        """Values of what comes next are new ones."""
        self._known.clear()

    def forget_the_dead(self) -> None:
        """Let go of what is known of tensors that are no more."""
        self._known = {k: known for k, known in self._known.items() if known[0]() is not None}
