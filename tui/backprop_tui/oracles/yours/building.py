"""A program computed with a learner's own values, and how each of those came about.

Standard library and numpy alone: this runs in the process that runs the learner's file.
"""

from __future__ import annotations

import operator
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import field
from functools import cached_property, partial
from types import FrameType
from typing import Any

import numpy as np

from backprop_engine.basics.dataclass import dataclass
from backprop_tui.oracles.messages import decode_attribute
from backprop_tui.oracles.torch.columns import Column, Entries, Names, of_dtype
from backprop_tui.oracles.yours.calling import arguments, given_of, parameters, property_of, short
from backprop_tui.oracles.yours.learner import Learner, told
from backprop_tui.oracles.yours.objects import DATA, name_of, operands_of, plain

_OPERATORS: Mapping[str, Callable[..., Any]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv,
    "**": operator.pow, "@": operator.matmul,
}  # fmt: skip
_DUNDERS = {
    "__add__": "add", "__sub__": "sub", "__mul__": "mul", "__truediv__": "div", "__div__": "div",
    "__pow__": "pow", "__matmul__": "matmul", "__neg__": "neg",
}  # fmt: skip
_REVERSED = {f"__r{name[2:]}": operation for name, operation in _DUNDERS.items()}
_WHOLE = frozenset(["sum", "mean", "max", "min", "prod"])
"""With us these go through all the elements where no axis is given."""
_REFUSING = (TypeError, NotImplementedError, AssertionError)
_REQUIRES_GRAD = ("requires_grad", "require_grad", "needs_grad", "track_grad", "autograd")


class LackingError(Exception):
    """The learner's class does not have what the program needs."""

    def __init__(self, message: str, line: int | None = None, missing: str = "") -> None:
        super().__init__(message)
        self.line, self.missing = line, missing


class BrokenError(Exception):
    """What the learner's class raised, over an operation that it has."""

    def __init__(self, node: int, message: str, line: int | None) -> None:
        super().__init__(message)
        self.node, self.line = node, line


@dataclass(eq=False)
class Made:
    """A value of the learner's."""

    value: Any
    node: int | None = None
    """That of our trace, where it is the result of one of our operations."""
    operation: str = ""
    """By our name; empty where it was given, or it is not known."""
    operands: list[Any] = field(default_factory=list)
    """Learner's values and numbers."""
    line: int | None = None
    """Where it was made."""
    from_line: int | None = None
    """The line, of the function that was called for the operation, that led there."""
    code: Any = None
    """Of the function that made it."""


class Builder:
    """Runs the forward pass of a program. LackingError, BrokenError."""

    def __init__(self, learner: Learner, cls: type, request: Mapping[str, Any]) -> None:
        self.learner, self.cls, self.request = learner, cls, request
        self.made: dict[int, Made] = {}
        """By identity, every value of the learner's, in the order in which they were made."""
        self.results: list[Any] = []
        """By node."""
        self.unlike: list[str] = []
        """The calls whose numbers the class does not take: they were made values."""
        self._spellings: Mapping[str, Any] = request["spellings"]
        self._methods = {
            name: operation
            for operation, spelling in self._spellings.items()
            for name in spelling["functions"]
        }
        self._rising: list[Any] = []
        self._parameters = parameters(cls)

    def run(self) -> None:
        """Compute every node."""
        request, counts = self.request, of_dtype(self.request["counts"], np.uint16).tolist()
        edges = iter(of_dtype(request["operands"], np.int32).tolist())
        operands = [[next(edges) for _ in range(count)] for count in counts]
        leaves = Column(Entries.decoded(request["leaves"]))
        numbers = of_dtype(request["numbers"], np.uint8)
        whole, requiring = set(request["whole"]), set(request["requires_grad"])
        used = {operand for each in operands for operand in each}
        self._cut_off = of_dtype(request["cut_off"], np.uint8)
        undo = self._watch_constructions()
        try:
            for node, name in Names.decoded(request["operations"]).items():
                if name:
                    self._apply(node, name, operands[node])
                elif node not in used and node not in requiring:
                    self.results.append(leaves[node])
                else:
                    is_number = bool(numbers[node])
                    value = int(leaves[node]) if node in whole else leaves[node]
                    self._leaf(node, value, is_number=is_number, requires_grad=node in requiring)
        finally:
            undo()

    def is_ours(self, value: Any) -> bool:
        """Whether it is a value of the learner's class."""
        return isinstance(value, self.cls)

    # Leaves

    def _leaf(self, node: int, value: Any, *, is_number: bool, requires_grad: bool) -> None:
        is_plain = np.asarray(value).dtype.kind in "biu"
        is_plain = is_plain or (isinstance(value, np.ndarray) and not self.holds_arrays)
        if is_number or (is_plain and not requires_grad):
            self.results.append(value)
            return
        made = self._new(value, requires_grad=requires_grad)
        self.made[id(made)] = Made(made, node)
        self.results.append(made)

    def _new(self, value: Any, *, requires_grad: bool) -> Any:
        """A value of the learner's. LackingError where its class makes none."""
        more = {name: requires_grad for name in self._parameters if name in _REQUIRES_GRAD}
        try:
            return self.cls(value if isinstance(value, np.ndarray) else self._form(value), **more)
        except Exception as error:  # noqa: BLE001 - whatever the learner's code raises
            raise LackingError(
                f"{self.cls.__name__}({short(value)}) raises {told(error)}",
                self.learner.line_of(error),
            ) from None

    @cached_property
    def _form(self) -> Callable[[Any], Any]:
        """How the class takes a number: as that, or as an array of no axis, or of one element."""
        for form in (_as_it_is, partial(np.array, dtype=float), partial(np.full, 1)):
            with suppress(Exception):
                a, b = self.cls(form(2.0)), self.cls(form(3.0))
                add = self._method("add", a)
                _ = add(b) if add else a + b
                return form
        return _as_it_is

    # Operations

    def _apply(self, node: int, name: str, operands: Sequence[int]) -> None:
        given = [self.results[operand] for operand in operands]
        attributes = {
            key: decode_attribute(value)
            for key, value in self.request["attributes"].get(str(node), {}).items()
        }
        self._rising = []
        if not any(map(self.is_ours, given)):
            self.results.append(self._of_numbers(name, given, attributes))
            return
        try:
            result = self._called(node, name, given, attributes)
        except LackingError:
            if name != "detach":
                raise
            result = given[0]
        if (self._cut_off[node] and name != "detach") or (result is given[0] and name == "detach"):
            self._leaf(node, plain(result), is_number=False, requires_grad=False)
            return
        if not self.is_ours(result):
            raise LackingError(f"{self._spelt(name)} gives a {type(result).__name__}")
        if name in _WHOLE and not given_of(attributes) and np.ndim(plain(result)):
            raise LackingError(f"`{name}` without an axis gives an array", None, f"{name}()")
        self._settle(node, name, given, result)
        self.results.append(result)

    def _of_numbers(self, name: str, given: Sequence[Any], attributes: Mapping[str, Any]) -> Any:
        symbol = self._spellings[name]["symbol"]
        try:
            if name == "index":
                found = given[0][attributes["items"]]
                return found if np.ndim(found) else np.asarray(found).item()
            if symbol in _OPERATORS and not attributes:
                return _OPERATORS[symbol](*given)
            if name == "neg":
                return -given[0]
        except ArithmeticError as error:
            raise LackingError(f"Python refuses {self._spelt(name)}: {told(error)}") from None
        raise LackingError(f"{self._spelt(name)} of numbers alone is not for {self.cls.__name__}")

    def _called(self, node: int, name: str, given: list[Any], attributes: Mapping[str, Any]) -> Any:
        are_ours = all(map(self.is_ours, given))
        try:
            return self._try(name, given, attributes)
        except LackingError:
            raise
        except RecursionError:
            raise LackingError(f"{self._spelt(name)} calls itself without end") from None
        except Exception as error:  # noqa: BLE001 - whatever the learner's code raises
            is_refused = isinstance(error, _REFUSING) or bool(given_of(attributes))
            is_infinite = (
                isinstance(error, ArithmeticError | ValueError) and not self.request["finite"]
            )
            if are_ours and not is_refused and not is_infinite:
                raise BrokenError(node, told(error), self.learner.line_of(error)) from None
            if are_ours or is_infinite:
                raise self._lacking(name, given, error) from None
            return self._wrapped(name, given, attributes, error)

    def _wrapped(
        self, name: str, given: list[Any], attributes: Mapping[str, Any], error: Exception
    ) -> Any:
        """The same with values in the place of numbers, for a class that takes none beside them."""
        try:
            wrapped = [x if self.is_ours(x) else self._new(x, requires_grad=True) for x in given]
            result = self._try(name, wrapped, attributes)
        except Exception:  # noqa: BLE001 - the same
            raise self._lacking(name, given, error) from None
        self.unlike.append(self._call(name, given))
        given[:] = wrapped
        return result

    def _lacking(self, name: str, given: Sequence[Any], error: BaseException) -> LackingError:
        call = self._call(name, given)
        message = f"{self.cls.__name__} does not take `{call}` ({told(error)})"
        return LackingError(message, self.learner.line_of(error), call)

    def _call(self, name: str, given: Sequence[Any]) -> str:
        """`Value ** 2`: an operation, and on what."""
        symbol = self._spellings[name]["symbol"]
        kinds = [self.cls.__name__ if self.is_ours(each) else short(each) for each in given]
        if symbol and len(kinds) == 2:
            return f"{kinds[0]} {symbol} {kinds[1]}"
        return f"-{kinds[0]}" if name == "neg" else f"{name}({', '.join(kinds)})"

    def _spelt(self, name: str) -> str:
        return f"`{self._spellings[name]['symbol'] or name}`"

    def _try(self, name: str, given: Sequence[Any], attributes: Mapping[str, Any]) -> Any:
        function, rest = self._function(name, given)
        positional, keywords = arguments(function, attributes)
        result = function(*rest, *positional, **keywords)
        if result is NotImplemented:
            raise TypeError("it gives NotImplemented")
        return result

    def _function(
        self, name: str, given: Sequence[Any]
    ) -> tuple[Callable[..., Any], Sequence[Any]]:
        """What the learner has for an operation, and what it takes of the operands."""
        spelling, first = self._spellings[name], given[0]
        if name == "neg":
            return operator.neg, given
        if name == "index":
            return lambda items: first[items if len(items) > 1 else items[0]], ()
        if spelling["symbol"] in _OPERATORS:
            method = self._method(name, first)
            return (method, given[1:]) if method else (_OPERATORS[spelling["symbol"]], given)
        for each in spelling["functions"]:
            if self.is_ours(first) and callable(getattr(first, each, None)):
                return getattr(first, each), given[1:]
        for each in spelling["functions"]:
            if callable(self.learner.names.get(each)):
                return self.learner.names[each], given
        for each in spelling["properties"]:
            if hasattr(first, each):
                return partial(property_of, first, each), ()
        missing = (*spelling["functions"], name)[0]
        raise LackingError(f"{self.cls.__name__} has no `{missing}`", missing=missing)

    # What has come about

    def _watch_constructions(self) -> Callable[[], None]:
        """Know every value that is made from now on, and where; the function ends that."""
        own, constructor = "__init__" in self.cls.__dict__, self.cls.__init__  # type: ignore[misc]

        def watched(value: Any, /, *given: Any, **more: Any) -> None:
            self._rising.append((value, *self._frames(sys._getframe(1))))
            constructor(value, *given, **more)

        self.cls.__init__ = watched  # type: ignore[misc]

        def undo() -> None:
            if own:
                self.cls.__init__ = constructor  # type: ignore[misc]
            else:
                del self.cls.__init__  # type: ignore[misc]

        return undo

    def _frames(self, frame: FrameType | None) -> tuple[Made, ...]:
        """Of a value that is being made: by which operation, of what, and where."""
        made = Made(None)
        outermost = None
        while frame is not None and frame.f_code.co_filename != __file__:
            code = frame.f_code
            if code.co_filename == self.learner.path and code.co_name not in (
                "__init__",
                "__new__",
            ):
                outermost = frame
                if made.line is None:
                    made.line, made.code = frame.f_lineno, code
                known = self._operation(code.co_name)
                if known and not made.operation:
                    made.line = frame.f_lineno
                    arguments = [
                        frame.f_locals.get(name) for name in code.co_varnames[: code.co_argcount]
                    ]
                    made.operation = known
                    made.operands = arguments[::-1] if code.co_name in _REVERSED else arguments
            frame = frame.f_back
        made.from_line = None if outermost is None else outermost.f_lineno
        return (made,)

    def _operation(self, name: str) -> str:
        found = _DUNDERS.get(name) or _REVERSED.get(name) or self._methods.get(name, "")
        return found if found in self._spellings else ""

    def _settle(self, node: int, name: str, given: Sequence[Any], result: Any) -> None:
        """Enter what an operation has made: its result last, and what it is made of before."""
        if id(result) in self.made:
            raise LackingError(f"{self._spelt(name)} gives a value that was there before")
        allowed = {id(value) for value in given if self.is_ours(value)}
        rising = {id(value): (value, made) for value, made in self._rising}
        allowed |= rising.keys()
        inner: list[Made] = []
        for value, made in rising.values():
            held = [operand for operand in operands_of(value, self.cls) if id(operand) in allowed]
            made.value = value
            if value is not result and not held:
                made.operation, made.operands = "", []  # a number that was made a value
            elif not all(map(self._is_usual, made.operands)) or not _same(
                held, made.operands, self.cls
            ):
                made.operation, made.operands = "", held
            if value is not result:
                inner.append(made)
        own = rising.get(id(result), (result, Made(result)))[1]
        own.value, own.node = result, node
        if own.operation in ("", name) and not any(made.operands for made in inner):
            own.operation, own.operands = name, list(given)
        for made in (*inner, own):
            self.made[id(made.value)] = made

    def _is_usual(self, operand: Any) -> bool:
        return self.is_ours(operand) or isinstance(operand, int | float | np.ndarray | np.generic)

    def _method(self, name: str, value: Any) -> Callable[..., Any] | None:
        """`add` of a class whose values cannot be added by their sign."""
        if not self.is_ours(value):
            return None
        if any(hasattr(value, sign) for sign, means in _DUNDERS.items() if means == name):
            return None
        method = getattr(value, name, None)
        return method if callable(method) else None

    def fresh(self, value: Any) -> Any:
        """A new value of the learner's that requires a gradient."""
        return self._new(value, requires_grad=True)

    @property
    def is_single(self) -> bool:
        """Whether the learner's numbers are float32."""
        values = [made.value for made in self.made.values()]
        names = [name_of(value, DATA) for value in values]
        if any(names):
            data = (getattr(*pair, 0.0) for pair in zip(values, map(str, names), strict=True))
            return any(getattr(each, "dtype", None) == np.float32 for each in data)
        return all(np.array_equal(each, np.float32(each)) for each in map(plain, values))

    @cached_property
    def holds_arrays(self) -> bool:
        """Whether the class is made for arrays: it keeps a number as one, or has what they need."""
        value = self._new(2.0, requires_grad=True)
        name = name_of(value, DATA)
        is_array = name is not None and not isinstance(getattr(value, name), int | float)
        return is_array or any(hasattr(value, each) for each in ("shape", "__matmul__", "sum"))


def _as_it_is(value: Any) -> Any:
    return value


def _same(held: Sequence[Any], operands: Sequence[Any], cls: type) -> bool:
    mine = {id(operand) for operand in operands if isinstance(operand, cls)}
    return not held or {id(operand) for operand in held} == mine
