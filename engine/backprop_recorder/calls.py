"""The table of calls, as it grows."""

from __future__ import annotations

import weakref
from collections.abc import Set as AbstractSet
from types import FrameType
from typing import Any, Final

import numpy as np
import torch

from backprop_engine.recording.layout import FORWARD_FLAGS
from backprop_recorder.kept_data import KeptData
from backprop_recorder.places import Chain, Line, Places
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
_data: Any = torch.Tensor.data
_OF_DATA: Final = (_data.__get__, _data.__set__)
_DATA: Final = -2
"""The number of these: nothing is kept of them, but that a leaf may have been changed."""
_MANY: Final = 4096
_NOTHING: Final[frozenset[int]] = frozenset()
_INNER, _IN_PLACE = FORWARD_FLAGS["inner"], FORWARD_FLAGS["in_place"]


_Known = tuple[weakref.ref[torch.Tensor], int, int, Line | None]
"""A tensor, its value, the version it had then, and the line it was made in."""


class Calls:
    """What was called with which values, and which values have come of it."""

    def __init__(
        self, writer: Writer, values: Values, places: Places, *, is_deep: bool = False
    ) -> None:
        """`is_deep`: what a call gives back was seen before, as a kernel has made it."""
        self._is_deep = is_deep
        self._writer, self._values, self._places = writer, values, places
        self._spelling = Spelling()
        self.count = 0
        self._known: dict[int, _Known] = {}
        """By tensor: an address proves nothing once the tensor is gone."""
        self._exits: dict[tuple[int, int], int] = {}
        """By sequence number of a kernel's autograd node, and its output, the value."""
        self.before_change: dict[int, int] = {}
        """By tensor, what was changed inside of the call that is told: its value before."""
        self._data = KeptData()
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

    def told(
        self, func: Any, numbers: tuple[int, int], args: Any, kwargs: Any, result: Any,
        flags: int, frame: FrameType,
    ) -> None:  # fmt: skip
        """Keep a call made from `frame`, if it has given tensors: its place, operands and outputs,
        and how it is written. `numbers` are autograd's, before and after. Called with modes off.
        """
        if isinstance(result, torch.Tensor):
            outputs = [result]
        else:
            outputs = [part for part in result if isinstance(part, torch.Tensor)]
        if not outputs:
            return
        function = self.function(func)
        if function >= 0:
            if self._data:
                self._forget_changed()
            self._keep(func, function, numbers, args, kwargs, outputs, flags, frame)
        elif function == _DATA and args[0].grad_fn is None:  # changed, its version not
            self._known.pop(id(args[0]), None)
            if outputs[0] is not args[0]:
                self._data.add(args[0], outputs[0])

    def _forget_changed(self) -> None:
        """What was changed by way of a kept `d = w.data` is not what it was."""
        for tensor in self._data.changed():
            self._known.pop(tensor, None)

    def _keep(
        self, func: Any, function: int, numbers: tuple[int, int], args: Any, kwargs: Any,
        outputs: list[torch.Tensor], flags: int, frame: FrameType,
    ) -> None:  # fmt: skip
        before, after = numbers
        chain = self._places.here(frame)
        module = self._places.module(chain, frame)  # which may teach us names of parameters
        self._line = chain.line
        first = args[0] if len(args) else None
        result = outputs[0]
        is_inner, in_place, is_only = bool(flags & _INNER), result is first, len(outputs) == 1
        if in_place and not is_inner:
            value = self._known_value(result)
            if value is not None and is_only and before == after:  # `x.requires_grad_()`
                self._name_value(value, result, chain.stored)
                return
            in_place = value is None or is_only  # else it is handed through: `broadcast_tensors`
        is_list = type(first) is list and id(result) in map(id, first)  # `_foreach_mul_`
        changed = {id(one) for one in outputs} if in_place or is_list else _NOTHING
        operands = self._all_operands(args, kwargs, chain, frame, changed)
        if is_inner:  # autograd has not been here yet: its outputs are in their order
            made = [
                (self._output(tensor, operands, first), -1, at) for at, tensor in enumerate(outputs)
            ]
            if after > before:
                self._exits.update(((after - 1, at), value) for value, _, at in made)
            if in_place:
                self.before_change.setdefault(id(result), operands[0])
        elif is_only:
            origin = (-1, result.output_nr) if after - before < 2 else _origin(result)
            made = [(self._output(result, operands, first), *origin)]
            if chain.stored:
                self._places.name(result, chain.stored)
        else:
            made = [self._one_output(tensor, operands, first) for tensor in outputs]
        template = self._spelling.template(func, args, kwargs, in_place=in_place)
        flags |= _IN_PLACE * in_place
        self._calls.append((before, after, function, chain.stack, module, template, flags))
        self._operands.append(operands)
        self._outputs.append(made)
        self.count += 1
        self.before_change = self.before_change if is_inner else {}
        if in_place and not is_inner and result._base is not None:
            self._changed_through(result._base, chain, frame)
        if len(self._calls) >= _MANY:
            self.flush()

    def _changed_through(self, base: torch.Tensor, chain: Chain, frame: FrameType) -> None:
        """A view of `base` was changed in place. If that is changed next, it will be too late."""
        found = self._known.get(id(base))
        if found is not None and found[0]() is base and found[2] != version(base):
            self._operand(base, chain, frame, is_changed=False)

    def _all_operands(
        self, args: Any, kwargs: Any, chain: Chain, frame: FrameType, changed: AbstractSet[int]
    ) -> list[int]:
        """The values of a call's tensors; `changed` are those, by `id`, that it has changed in
        place. What is known needs nothing: it is spelled out.
        """
        operands, known, line = [], self._known, chain.line
        for tensor in tensors_in(args, kwargs):
            found = known.get(id(tensor))
            if (
                found is not None
                and found[0]() is tensor
                and found[2] == version(tensor)
                and (found[3] is None or found[3] is line)
                and id(tensor) not in changed
            ):
                operands.append(found[1])
            else:
                is_changed = id(tensor) in changed
                operands.append(self._operand(tensor, chain, frame, is_changed=is_changed))
        return operands

    def known_of(self, args: Any) -> dict[int, int]:
        """By `id` the values of those tensors among these that are known."""
        found = [(id(one), self._known_value(one)) for one in tensors_in(args, {})]
        return {tensor: value for tensor, value in found if value is not None}

    def end_kernel(self, first: int, before: int, after: int) -> int:
        """Of the autograd nodes since the last kernel only the last one is of the next: others, of
        what was changed through a view, were made once that had run. The next one's `before`.
        """
        if after - before > 1 and self.count > first and self._calls:
            row = self._calls[-1]
            self._calls[-1] = (row[0], after - 1, *row[2:])
            return after - 1
        return before

    def end_kernels(self, first: int) -> None:
        """The call whose kernels came after the first calls is there: where it is only one of them,
        it is that, and where it was not kept, neither are they.
        """
        rows = self._calls[first - self.count :]
        self.before_change.clear()
        if first >= self.count or len(rows) < self.count - first:
            return
        if rows[-1][-1] & _INNER:
            self._drop(first, self.count)
        elif len(rows) == 2 and rows[0][-1] & _INNER:
            self._drop(first, first + 1)
        elif len(rows) > 1 and rows[-2][-1] & _INNER:
            last = rows[-2]
            self._calls[-2] = (last[0], max(last[1], rows[-1][1]), *last[2:])

    def _drop(self, start: int, stop: int) -> None:
        first = self.count - len(self._calls)
        for column in (self._calls, self._operands, self._outputs):
            del column[start - first : stop - first]
        self.count -= stop - start

    def _name_value(self, value: int, tensor: torch.Tensor, stored: str) -> None:
        if stored and not self._places.name_of(tensor):
            self._places.name(tensor, stored)
            self._new_names.append((value, stored))

    def _known_value(self, tensor: torch.Tensor, *, before_change: bool = False) -> int | None:
        found = self._known.get(id(tensor))
        is_known = found is not None and found[0]() is tensor
        if found and is_known and found[2] == max(version(tensor) - before_change, 0):
            return found[1]
        return self._of_kernel(tensor) if self._exits else None

    def _of_kernel(self, tensor: torch.Tensor) -> int | None:
        """Of what a kernel made torch gives others another object, which belongs to its node."""
        if tensor.grad_fn is None:
            return None
        value = self._exits.get((tensor.grad_fn._sequence_nr(), tensor.output_nr))
        if value is not None:
            self._known[id(tensor)] = weakref.ref(tensor), value, version(tensor), self._line
        return value

    def _operand(
        self, tensor: torch.Tensor, chain: Chain, frame: FrameType, *, is_changed: bool
    ) -> int:
        """Its value; of what was just changed in place that before, if it is known."""
        value = self._known_value(tensor)
        if value is None and is_changed:
            value = self._known_value(tensor, before_change=True)
        if is_changed and self.before_change:
            value = self.before_change.get(id(tensor), value)
        if value is None and is_changed:
            return self._gone(tensor)
        if value is None:
            value = self._met(tensor)
            name = self._places.name_of(tensor)
            if not name:
                name = self._places.variable(tensor, chain.frame(frame))
                if name:
                    self._places.name(tensor, name)
            if name:
                self._new_names.append((value, name))
        elif not is_changed:
            self._name_later(tensor, value, chain, frame)
        return value

    def _gone(self, tensor: torch.Tensor) -> int:
        """The value of what was just changed in place, before: nobody has seen it."""
        value = self._values.gone(tensor)
        if tensor.grad_fn is not None and tensor._base is None:  # to views their base leads
            before, output = [*tensor.grad_fn.next_functions, (None, 0)][0]
            if before is not None:
                self._new_origins.append((value, before._sequence_nr(), output))
        return value

    def _name_later(self, tensor: torch.Tensor, value: int, chain: Chain, frame: FrameType) -> None:
        """What another line has made, and no name was known of there, may have one here."""
        known = self._known[id(tensor)]
        if known[3] is None or known[3] == self._line:
            return
        self._known[id(tensor)] = (*known[:3], None)
        name = self._places.name_of(tensor)
        if name and tensor.grad_fn is None:  # its model had not told its name when it was made
            self._new_names.append((value, name))
        elif not name and (name := self._places.variable(tensor, chain.frame(frame))):
            self._places.name(tensor, name)
            self._new_names.append((value, name))

    def _add(self, tensor: torch.Tensor) -> int:
        value = self._values.add(tensor)
        self._known[id(tensor)] = weakref.ref(tensor), value, version(tensor), self._line
        return value

    def _output(self, tensor: torch.Tensor, operands: list[int], first: Any) -> int:
        value = None
        if isinstance(first, torch.Tensor) and tensor is not first and operands:
            is_like = 1 < tensor.numel() == first.numel() and tensor.dtype is first.dtype
            if is_like and pointer(tensor) == pointer(first) != 0:
                value = self._values.alias(
                    operands[0], first, tensor, is_new=True
                )  # a view of it all
                self._known[id(tensor)] = weakref.ref(tensor), value, version(tensor), self._line
        if value is None:
            known = self._known_value(tensor) if self._is_deep and tensor is not first else None
            # What came in and comes out was changed in place, by its keyword.
            value = self._add(tensor) if known is None or known in operands else known
        return value

    def _one_output(
        self, tensor: torch.Tensor, operands: list[int], first: Any
    ) -> tuple[int, int, int]:
        """One of several. What is handed through as it is stays what it was; beside the others it
        is a value of its own that nothing comes of.
        """
        known = self._known_value(tensor)
        if known is not None and known in operands and not self._is_deep:
            return self._values.alias(known, tensor, tensor, is_new=True), -1, -1
        return self._output(tensor, operands, first), *_origin(tensor)

    def value_of(self, tensor: torch.Tensor) -> int:
        """The value of a tensor as it is; it is kept where it was not met before."""
        self._forget_changed()
        value = self._known_value(tensor)
        if value is None:
            value = self._met(tensor)
            if name := self._places.name_of(tensor):
                self._new_names.append((value, name))
        return value

    def _met(self, tensor: torch.Tensor) -> int:
        """The value of a tensor that no call has given: of a graph it tells where it belongs."""
        value = self._add(tensor)
        if tensor.grad_fn is not None:
            self._new_origins.append((value, tensor.grad_fn._sequence_nr(), tensor.output_nr))
        return value

    def skips(self, func: Any) -> bool:
        """Whether the results of what was called are known to be nothing to keep."""
        return self._functions.get(func) == -1

    def function(self, func: Any) -> int:
        """The number of what was called; negative where its results are nothing to keep."""
        number = self._functions.get(func)
        if number is not None:
            return number
        name = getattr(func, "__name__", None) or str(func)
        schema = getattr(func, "_schema", None)
        if schema is not None:  # a kernel: `aten::mul`
            name = schema.name.rpartition(":")[2]
        if name in ("__get__", "__set__"):
            name = getattr(getattr(func, "__self__", None), "__name__", name)
        number = _DATA if func in _OF_DATA else -1
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
        self._exits.clear()

    def forget_the_dead(self) -> None:
        """Let go of what is known of tensors that are no more."""
        self._exits.clear()
        self._known = {k: known for k, known in self._known.items() if known[0]() is not None}


def _origin(tensor: torch.Tensor) -> tuple[int, int]:
    """The sequence number of its autograd node and its output of that; −1 where there is none."""
    if tensor.grad_fn is None:
        return -1, -1
    return tensor.grad_fn._sequence_nr(), tensor.output_nr
