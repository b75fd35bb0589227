"""A learner's backward pass, with every change of a gradient: who made it, and in which line.

Standard library and numpy alone: this runs in the process that runs the learner's file. Nothing is
expected of how an engine is written. Where a value has a function of its own for its turn, it is
seen when that is called; else who is at work is told by the variables of the functions that run.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import field
from functools import partial
from types import BuiltinFunctionType, CodeType, FrameType, FunctionType, MethodType
from typing import Any

import numpy as np

from backprop_engine.basics.dataclass import dataclass
from backprop_tui.oracles.yours.building import Made
from backprop_tui.oracles.yours.learner import Learner
from backprop_tui.oracles.yours.objects import (
    GRAD,
    StrangeError,
    attributes_of,
    gradient_of,
    name_of,
    plain,
)

_FEW = 64
"""Values of which each is looked at after each line; of more, those that a function can see."""
_RETURNS = 32
_CLOSE = 1e-9
_FUNCTIONS = (FunctionType, MethodType, BuiltinFunctionType, partial)


@dataclass(eq=False)
class Event:
    """A change of a gradient, or the turn of a value (`to` is None then)."""

    sender: int | None
    to: int | None
    upstream: Any
    before: Any = None
    after: Any = None
    line: int | None = None
    """Where what was sent is computed."""
    set_at: int | None = None
    """Where the gradient became another one."""
    called_at: int | None = None
    """The line that let the sender have its turn."""


@dataclass(eq=False)
class Watch:
    """Follows one backward pass."""

    learner: Learner
    made: Sequence[Made]
    entry: CodeType | None
    events: list[Event] = field(default_factory=list)
    raised_at: int | None = None
    """The value whose turn it was when something was raised."""
    _held: list[tuple[Any, Any]] = field(default_factory=list)
    """By value its gradient as the learner has it, and as a number or an array of our own."""
    _turns: list[tuple[int, FrameType]] = field(default_factory=list)
    _returned: deque[tuple[int, Any]] = field(default_factory=lambda: deque(maxlen=_RETURNS))
    _bound: dict[FrameType, dict[str, tuple[int, int]]] = field(default_factory=dict)
    _tick: int = 0
    _is_looking: bool = False
    _raised: tuple[BaseException | None, int | None] = (None, None)

    def __post_init__(self) -> None:
        self._numbers = {id(made.value): at for at, made in enumerate(self.made)}
        self._consumers: dict[int, set[int]] = {}
        for at, made in enumerate(self.made):
            for operand in made.operands:
                if id(operand) in self._numbers:
                    self._consumers.setdefault(self._numbers[id(operand)], set()).add(at)
        self._last: tuple[FrameType, int] | None = None
        self._owners: dict[int, int] = {}
        self._undo: list[Callable[[], None]] = []

    def run(self, backward: Callable[[], Any]) -> None:
        """Let `backward` run; what it raises is raised, with all that came before in `events`."""
        self._held = [(_raw_gradient(made.value), gradient_of(made.value)) for made in self.made]
        for at, made in enumerate(self.made):
            if made.operands:
                self._stand_in(at, made.value)
        sys.settrace(self._enter)
        try:
            backward()
        except BaseException:
            self.raised_at = self._raised[1] if self.raised_at is None else self.raised_at
            raise
        finally:
            sys.settrace(None)
            for undo in self._undo:
                with suppress(Exception):
                    undo()
        self._look(range(len(self.made)))

    # Turns

    def _stand_in(self, at: int, value: Any) -> None:
        """Take the place of whatever functions a value has for its turn."""
        for name, thing in list(attributes_of(value)):
            if name in GRAD or id(thing) in self._numbers or isinstance(thing, type):
                continue
            if isinstance(thing, _FUNCTIONS):
                self._replace(value, name, thing, at)
            elif hasattr(thing, "__dict__"):
                self._owners[id(thing)] = at
                inner = getattr(thing, "backward", None)
                if callable(inner):
                    self._replace(thing, "backward", inner, at)

    def _replace(self, holder: Any, name: str, function: Any, at: int) -> None:
        own = name in getattr(holder, "__dict__", {}) or not hasattr(holder, "__dict__")

        def turn(*given: Any, **more: Any) -> Any:
            caller = sys._getframe(1)
            self._look_at_last()
            upstream = self._gradient(at)
            event = Event(at, None, upstream, line=self._line(caller), called_at=self._line(caller))
            self.events.append(event)
            self._turns.append((at, caller))
            try:
                return function(*given, **more)
            except BaseException:
                self.raised_at = at if self.raised_at is None else self.raised_at
                raise
            finally:
                self._look_at_last()
                self._turns.pop()

        def undo() -> None:
            if own:
                setattr(holder, name, function)
            else:
                delattr(holder, name)

        with suppress(Exception):
            setattr(holder, name, turn)
            self._undo.append(undo)

    # Lines

    def _enter(self, frame: FrameType, _event: str, _argument: Any) -> Any:
        if self._is_looking or not self._is_learners(frame):
            return None
        self._look_at_last()
        self._last = (frame, frame.f_lineno)
        self._bind(frame)
        return self._follow

    def _follow(self, frame: FrameType, event: str, argument: Any) -> Any:
        self._look_at_last()
        self._tick += 1
        self._bind(frame)
        if event == "exception":
            self._enter_raised(frame, argument[1])
        elif event == "return":
            if argument is not None:
                self._returned.append((self.learner.place(frame), argument))
            self._bound.pop(frame, None)
            outer = frame.f_back
            while outer is not None and not self._is_learners(outer):
                outer = outer.f_back
            self._last = None if outer is None else (outer, outer.f_lineno)
        else:
            self._last = (frame, frame.f_lineno)
        return self._follow

    def _is_learners(self, frame: FrameType) -> bool:
        return self.learner.is_learners(frame.f_code.co_filename)

    def _line(self, frame: FrameType | None) -> int | None:
        """The line of the learner's file that a frame is at, or the one that led there."""
        while frame is not None:
            if frame.f_code.co_filename == self.learner.path:
                return frame.f_lineno
            frame = frame.f_back
        return None

    def _bind(self, frame: FrameType) -> None:
        """Which variables have come to mean something else, and when."""
        bound = self._bound.setdefault(frame, {})
        for name, thing in frame.f_locals.items():
            if name not in bound or bound[name][0] != id(thing):
                bound[name] = (id(thing), self._tick)

    def _enter_raised(self, frame: FrameType, error: BaseException) -> None:
        """The value that a function has got to when something is raised in it."""
        if self._raised[0] is error and self._raised[1] is not None:
            return
        found = {
            self._numbers[id(thing)]: self._bound[frame].get(name, (0, -1))[1]
            for name, thing in frame.f_locals.items()
            if id(thing) in self._numbers
        }
        last = max(found, key=lambda at: found[at], default=None)
        senders = self._consumers.get(-1 if last is None else last, set()) & found.keys()
        self._raised = (error, max(senders, key=lambda at: found[at], default=last))

    # Changes

    def _look_at_last(self) -> None:
        if len(self.made) <= _FEW:
            self._look(range(len(self.made)))
        elif self._last is not None:
            self._look(self._in_sight(self._last[0]))

    def _in_sight(self, frame: FrameType) -> set[int]:
        found: set[int] = set()
        for thing in frame.f_locals.values():
            inside = thing if isinstance(thing, list | tuple) and len(thing) <= _FEW else (thing,)
            seen = {self._numbers[id(each)] for each in inside if id(each) in self._numbers}
            found |= seen
            for at in seen:
                operands = self.made[at].operands
                found |= {self._numbers[id(each)] for each in operands if id(each) in self._numbers}
        return found

    def _look(self, numbers: Iterator[int] | Sequence[int] | set[int]) -> None:
        """Enter every gradient that has become another one."""
        self._is_looking = True  # a property of the learner's is called by us
        for at in numbers:
            value, (raw, before) = self.made[at].value, self._held[at]
            try:
                now, after = _raw_gradient(value), gradient_of(value)
            except StrangeError:
                continue
            # Another object of the same number was given to it, too.
            if now is not raw or not _is_same(before, after):
                self._held[at] = (now, after)
                self._enter_change(at, before, after)
        self._is_looking = False

    def _gradient(self, at: int) -> Any:
        was_looking, self._is_looking = self._is_looking, True
        try:
            return gradient_of(self.made[at].value)
        except StrangeError:
            return None
        finally:
            self._is_looking = was_looking

    def _enter_change(self, to: int, before: Any, after: Any) -> None:
        frame, line = self._last or (None, None)
        set_at = line and frame and line + self.learner.place(frame) - frame.f_lineno
        sender, called_at = self._turns[-1][0] if self._turns else None, None
        if sender is not None:
            called_at = self._line(self._turns[-1][1])
            line = self._line_in_turn(frame, line, self._turns[-1][1])
        else:
            is_start = before is None and not np.any(after)  # nothing is sent where 0 is put
            sender = None if is_start else self._seen_at_work(frame, to)
            called_at = line
            if sender is not None:
                line = self._line_of_rule(frame, line, sender, before, after)
        if frame is not None and frame.f_code.co_filename != self.learner.path:
            line = self._line(frame)
        upstream = None if sender is None else self._gradient(sender)
        self.events.append(Event(sender, to, upstream, before, after, line, set_at, called_at))

    def _line_in_turn(
        self, frame: FrameType | None, line: int | None, caller: FrameType
    ) -> int | None:
        """The line of the function that was called for the turn, whoever made the change."""
        inner = frame
        while inner is not None and inner is not caller:
            outer = inner.f_back
            while outer is not None and outer is not caller and not self._is_learners(outer):
                outer = outer.f_back
            if outer is caller or outer is None:
                return line if inner is frame else inner.f_lineno
            inner = outer
        return line

    def _seen_at_work(self, frame: FrameType | None, to: int) -> int | None:
        """The consumer of `to` whose method is running, or that a function has last got to."""
        consumers = self._consumers.get(to, set())
        while frame is not None:
            bound, found = self._bound.get(frame, {}), dict[int, int]()
            for name, thing in frame.f_locals.items():
                at = self._numbers.get(id(thing), self._owners.get(id(thing)))
                if at in consumers:
                    found[at] = max(found.get(at, -1), bound.get(name, (0, -1))[1])
            code = frame.f_code
            if found and code is not self.entry and code.co_argcount:
                first = id(frame.f_locals.get(code.co_varnames[0]))
                at = self._numbers.get(first, self._owners.get(first))
                if at in found:  # a method of the one at work
                    return at
            if found:
                return max(found, key=lambda at: (found[at], at))
            frame = frame.f_back
        return None

    def _line_of_rule(
        self, frame: FrameType | None, line: int | None, sender: int, before: Any, after: Any
    ) -> int | None:
        """Where what was sent comes from, if the line that adds it serves every operation."""
        sent = after
        if after is None:
            return line
        if before is not None and after is not None and np.shape(before) == np.shape(after):
            sent = after - before
        returned_at: int
        for returned_at, thing in reversed(self._returned):
            if any(_is_close(each, sent) for each in self._parts(thing)):
                return returned_at
        while frame is not None and frame.f_code is not self.entry and self._is_given(frame, sent):
            frame = frame.f_back  # a function that adds what it is given
            line = self._line(frame)
        if frame is not None and frame.f_code is self.entry:
            return self.made[sender].line
        return line

    def _is_given(self, frame: FrameType, sent: Any) -> bool:
        names = frame.f_code.co_varnames[: frame.f_code.co_argcount]
        given = [frame.f_locals[name] for name in names if name in frame.f_locals]
        return any(_is_close(each, sent) for each in self._parts(given))

    def _parts(self, thing: Any) -> Iterator[Any]:
        """The numbers and arrays in what a function has returned; values are none."""
        for each in thing if isinstance(thing, list | tuple) else (thing,):
            if id(each) not in self._numbers:
                with suppress(Exception):
                    yield plain(each)


def _raw_gradient(value: Any) -> Any:
    name = name_of(value, GRAD)
    return None if name is None else getattr(value, name)


def _is_close(a: Any, b: Any) -> bool:
    if a is None or np.shape(a) != np.shape(b):
        return False
    return bool(np.allclose(a, b, rtol=_CLOSE, atol=0.0, equal_nan=True))


def _is_same(before: Any, after: Any) -> bool:
    if before is None or after is None:
        return before is after
    if isinstance(before, float) and isinstance(after, float):
        return before == after or (before != before and after != after)
    return np.shape(before) == np.shape(after) and np.array_equal(before, after, equal_nan=True)


def reply_events(events: Sequence[Event]) -> list[Mapping[str, Any]]:
    """The events for the pipe."""
    return [dict(vars(event)) for event in events]
