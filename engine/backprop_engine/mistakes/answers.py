"""Whether an answer is right, and which mistake it is a sign of: numbers, arrays and algebra.

A number is judged by the digits that were typed. Algebra (`g*(1 - t**2)`; `g` is the upstream
gradient, or `upstream`) is judged at the values of the run and at others near by, so that every
equivalent form is right. Nothing is ever evaluated by Python.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property, partial
from itertools import compress
from typing import Any, Final

import numpy as np

from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.source import OperandError, ProblemError, Span
from backprop_engine.basics.values import Value, in_full, shape_of
from backprop_engine.mistakes.own import following
from backprop_engine.mistakes.questions import Question
from backprop_engine.mistakes.table import Mistake
from backprop_engine.mistakes.telling import WrongAnswer, close
from backprop_engine.mistakes.typed import typed
from backprop_engine.mistakes.values import near_by
from backprop_engine.reading.formula import Formula
from backprop_engine.reading.watches import compile_watch, watched
from backprop_engine.trace import Missing, Trace
from backprop_engine.trace.abilities import Reruns

UPSTREAM: Final = "upstream"
_SHORT: Final = "g"
_LITERAL: Final = re.compile(r"(?<![\w.@%])(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?")
_BETWEEN: Final = r"\s*,\s*|\s+"
_IN_A_ROW: Final = re.compile(rf"\s*-?{_LITERAL.pattern}(?:(?:{_BETWEEN})-?{_LITERAL.pattern})+\s*")
"""The elements of an array without its brackets."""
_EXACT: Final = 1e-6
_HALF: Final = 0.51
"""Of the last digit: half of it, and what rounding does to the number itself."""
_FEWEST_DIGITS: Final = 2
_ASKED_DIGITS: Final = 4
_FOUR_DIGITS: Final = 5e-4
_NO_UNIT: Final = 999
"""Zeros behind the point, that leave nothing open."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is to be said of an answer."""

    is_right: bool
    mistakes: tuple[Mistake, ...] = ()
    """Of a wrong answer: what gives it; several mean one or another, none an unknown one."""
    remark: str = ""
    """What else there is to say: its shape is another, or it is right at these numbers alone."""
    value: Value | None = None
    """What the answer comes to in this run."""
    follows: bool = False
    """Of a wrong answer: it is right, given what was answered before."""


@dataclass(frozen=True, eq=False)
class Judge:
    """Judges answers to questions about one run."""

    trace: Trace

    @cached_property
    def _traces(self) -> tuple[Trace, ...]:
        """The run, and others of the same program; alone where nothing can be run again."""
        if isinstance(self.trace.can(Reruns), Missing):
            return (self.trace,)
        return (self.trace, *near_by(self.trace))

    def judge(
        self, question: Question, text: str, own: Mapping[int, Value] | None = None
    ) -> Judgement:
        """What is to be said of `text` as the answer to `question`; `own` are answers that were
        given to others before, by their steps.

        Raises ProblemError, with a place in `text`, where it is no answer: it cannot be read, it
        speaks of what is not known yet, or it has too few digits.
        """
        right, gradient = question.right(self.trace), partial(self._gradient, question)
        about = None if isinstance(right, np.ndarray) else float(right)
        answer = typed(text, self._is_name, gradient, about)
        with answer.told():
            return self._judge(question, answer.text, own)

    def _judge(self, question: Question, text: str, own: Mapping[int, Value] | None) -> Judgement:
        if _IN_A_ROW.fullmatch(text) and np.ndim(question.right(self.trace)) == 1:
            text = f"[{', '.join(re.split(_BETWEEN, text.strip()))}]"
        formula = compile_watch(text, self.trace, self._symbols)
        value = self._value(formula, question, self.trace)
        if formula.keys:
            return replace(self._of_algebra(question, formula), value=value)
        judgement = replace(self._of_number(question, text, value), value=value)
        if judgement.is_right or not own:
            return judgement
        followed = following(self.trace, question, own)
        follows = followed is not None and _agreement(text, value)(followed)
        return replace(judgement, follows=follows)

    @property
    def _symbols(self) -> tuple[str, ...]:
        return tuple(name for name in (UPSTREAM, _SHORT) if self.trace.named(name) is None)

    def _is_name(self, text: str) -> bool:
        return text in self._symbols or self.trace.named(text) is not None

    def _gradient(self, question: Question, above: str, below: str) -> str:
        """What ∂above/∂below is in an answer; `above` may be any loss that the run has not."""
        trace, node = self.trace, self.trace.named(below)
        output = trace.passes[trace.pass_index(question.step)].output
        if node is None or trace.named(above) not in (None, output):
            return ""
        is_upstream = node == trace.edge(question.step)[0] and self._symbols
        return self._symbols[0] if is_upstream else f"{below}.grad"

    def _value(self, formula: Formula, question: Question, trace: Trace) -> Value:
        sender, _, _ = trace.edge(question.step)
        upstream = trace.gradient(sender, question.step)
        also = {} if upstream is None else dict.fromkeys(self._symbols, in_full(upstream))
        everywhere = Span(0, len(formula.text))
        try:
            value = watched(formula, trace, question.step, also)
        except OperandError as error:
            raise ProblemError(str(error), everywhere, fix=error.fix) from None
        if value is None:
            raise ProblemError("something in it is not known yet at this step", everywhere)
        return value

    def _of_number(self, question: Question, text: str, value: Value) -> Judgement:
        right, agrees = question.right(self.trace), _agreement(text, value)
        if agrees(right):
            return Judgement(True)
        wrong = question.wrong(self.trace)
        mistakes = tuple(dict.fromkeys(mistake for mistake, answer in wrong if agrees(answer)))
        if not mistakes and _agreement(text, value, fewest_digits=1)(right):
            raise ProblemError("too few digits", Span(0, len(text)), fix="give four digits")
        remark = _other_shape(value, right)
        if remark and shape_of(value) == () and all(map(agrees, np.unique(right).tolist())):
            remark = f"it is right of each element: write them all; {remark}"
        return Judgement(False, mistakes, remark)

    def _of_algebra(self, question: Question, formula: Formula) -> Judgement:
        known = [
            (trace, self._value(formula, question, trace), question.right(trace))
            for trace in self._traces
        ]
        is_defined = [_is_defined(value, right) for _, value, right in known]
        # exp(2·log(x)) is x², and stands for it where x is positive.
        if is_defined[0] and any(is_defined[1:]):
            known = list(compress(known, is_defined))
        traces, _, rights = zip(*known, strict=True)
        values = [_copied(value, right) for _, value, right in known]
        tolerance = _relative_tolerance(formula.text)
        is_right = [close(*pair, tolerance) for pair in zip(values, rights, strict=True)]
        if all(is_right):
            return Judgement(True)
        wrong = [question.real(trace) for trace in traces]
        mistakes = tuple(
            mistake
            for mistake in dict.fromkeys(answer.mistake for answer in wrong[0])
            if all(_is_made(mistake, *pair, tolerance) for pair in zip(wrong, values, strict=True))
        )
        if is_right[0]:
            return Judgement(not mistakes, mistakes, "right at these numbers, not in general")
        return Judgement(False, mistakes, _other_shape(values[0], rights[0]))


def _is_defined(value: Value, right: Value) -> bool:
    return bool(np.all(np.isfinite(value)) or not np.all(np.isfinite(right)))


def _copied(value: Value, right: Value) -> Value:
    """Algebra of numbers alone stands for each element: g/n is what a mean sends."""
    return np.broadcast_to(value, shape_of(right)) if shape_of(value) == () else value


def _is_made(
    mistake: Mistake, wrong: tuple[WrongAnswer, ...], value: Value, tolerance: float
) -> bool:
    return any(
        answer.mistake is mistake and close(answer.value, value, tolerance) for answer in wrong
    )


def _agreement(
    text: str, value: Value, fewest_digits: int = _FEWEST_DIGITS
) -> Callable[[Any], bool]:
    """Whether another value is what the numbers of `text`, which come to `value`, stand for.

    One of fewer digits than `fewest_digits` stands for itself alone.
    """
    written = _literals(text)
    typed = np.abs(np.asarray(value, float))
    if len(written) == typed.size and np.array_equal(typed.ravel(), list(map(float, written))):
        units = [_unit(literal, fewest_digits) for literal in written]
        allowed = np.maximum(_HALF * np.reshape(units, typed.shape), _EXACT * typed)
        return lambda other: _is_within(value, other, allowed)
    tolerance = _relative_tolerance(text)
    return lambda other: close(value, other, tolerance)


def _is_within(value: Value, other: Any, allowed: np.ndarray) -> bool:
    if np.shape(value) != np.shape(other):
        return False
    value, other = np.asarray(value, float), np.asarray(other, float)
    with np.errstate(all="ignore"):
        near = (np.abs(value - other) <= allowed) & np.isfinite(value)
    return bool(np.all(near | (value == other) | (np.isnan(value) & np.isnan(other))))


def _relative_tolerance(text: str) -> float:
    """Of what is computed from numbers: what the coarsest that looks rounded leaves open, and four
    digits at most, as a difference may take the others.
    """
    rounded = (literal for literal in _literals(text) if _digits(literal) > _FEWEST_DIGITS)
    open_ = [_unit(number) / float(number) for number in rounded if "." in number and float(number)]
    return max(_FOUR_DIGITS, *open_) if open_ else _EXACT


def _literals(text: str) -> list[str]:
    return _LITERAL.findall(text)


def _unit(literal: str, fewest_digits: int = 0) -> float:
    """The unit of the last digit that was typed; of fewer digits, or in place of the zeros at the
    end of a whole number, that of the fourth digit of them all.
    """
    number, _, exponent = literal.lower().partition("e")
    whole, point, decimals = number.partition(".")
    digits = (whole + decimals).lstrip("0")
    last, fourth = -len(decimals), len(digits) - len(decimals) - _ASKED_DIGITS
    if _digits(literal) < fewest_digits:
        last = fourth if digits else -_NO_UNIT
    elif not point:
        last = min(len(digits) - len(digits.rstrip("0")), max(fourth, 0))
    return float(f"1e{int(exponent or 0) + last}")


def _digits(literal: str) -> int:
    """How many digits say something."""
    number = literal.lower().partition("e")[0]
    return len(number.replace(".", "").lstrip("0"))


def _other_shape(value: Value, right: Value) -> str:
    if shape_of(value) == shape_of(right):
        return ""
    return f"its shape is {shape_of(value)}, and that of the gradient {shape_of(right)}"
