"""A call as the catalogue has it: a scenario of one line over the recorded operands.

A call is written as it stood in the program, `out = softmax(a, dim=-1)`, and run by the engine.
Where the same comes out, the catalogue's formula, words, rules and parts are those of the call.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Final

import numpy as np

from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.source import OperandError, ProblemError, ScenarioError, Source, Span
from backprop_engine.basics.summary import Summary
from backprop_engine.basics.values import Dtype, Known, Value, dtype_of, settle, shape_of, size_of
from backprop_engine.budget import LimitError
from backprop_engine.grammar import syntax
from backprop_engine.grammar.excerpt import whole
from backprop_engine.grammar.parser import parse_program
from backprop_engine.operation import OPERAND_LETTERS
from backprop_engine.program.scenario import Backward, Input
from backprop_engine.program.statements import read_program
from backprop_engine.run.record import record_parts
from backprop_engine.run.tape import graph_of
from backprop_engine.trace import Missing, Trace

_RESULT: Final = "out"
_LARGEST: Final = 4_000_000
"""Elements of operands that a call is run with once more."""
_LARGEST_MADE_UP: Final = 1_000_000
"""The same where only their shapes are known: what comes out is not looked at."""
_HOLE: Final = re.compile(r"\{(\d+)\}")
_FLOATS: Final = ("float32", "float64")
_HALVES: Final = ("float16", "bfloat16")
_CLOSE: Final = {"float16": 4e-3, "bfloat16": 3e-2, "float32": 2e-4, "float64": 1e-9}
_DRAWING: Final = ("dropout", "feature_dropout", "alpha_dropout", "rrelu")
"""Calls that draw numbers which nobody has kept."""
REFUSED: Final = (ScenarioError, OperandError, LimitError, ArithmeticError, ValueError, MemoryError)
"""What the engine raises for a call that it does not know, or not so."""


@dataclass(frozen=True, eq=False)
class Call:
    """What is known of a call; `template` is how it is written, `{0}` for its first tensor."""

    name: str
    template: str
    operands: Sequence[Known]
    value: Known
    """What came out."""
    dtypes: Sequence[str]
    """Of what came out and of the operands, as torch has them."""
    asked: frozenset[int]
    """The operands that gradients are asked of."""


@dataclass(frozen=True, eq=False)
class Applied:
    """A call as the catalogue has it: a trace of one operation."""

    trace: Trace
    node: int
    operands: tuple[int | None, ...]
    """For each operand of the operation which operand of the call it is; None for a number."""
    inexact: Missing | None
    """Why its numbers are not those of the call; None where they are."""

    def position(self, position: int) -> int:
        """Where operand `position` of the call stands in the operation; ValueError if nowhere."""
        return self.operands.index(position)


def in_catalogue(call: Call, upstream: Value | None) -> Applied | Missing:
    """The call as the catalogue has it, back from `upstream` if it is given; or why not."""
    values = call.operands
    if any(dtype.startswith("complex") or not dtype for dtype in call.dtypes):
        return Missing(f"the catalogue computes {call.name} in real numbers alone")
    if len(values) > len(OPERAND_LETTERS):
        return Missing(f"the catalogue has no {call.name} of so many tensors")
    dtype: Dtype = "float64" if "float64" in call.dtypes else "float32"
    inexact = None
    if any(isinstance(value, Summary) for value in values):
        inexact = Missing("only a summary of its operands is kept", "record with --values all")
    elif call.name in _DRAWING:
        inexact = Missing(f"the random numbers that {call.name} drew are not kept")
    if sum(map(size_of, values)) > (_LARGEST if inexact is None else _LARGEST_MADE_UP):
        return inexact or Missing("its operands are too large to run it once more")
    try:
        trace = _run(call.template, values, dtype, upstream)
    except (ProblemError, *REFUSED):
        return Missing(f"the catalogue has no {call.name} that is written like this")
    return _told(call, trace, inexact)


def _run(template: str, values: Sequence[Known], dtype: Dtype, upstream: Value | None) -> Trace:
    letters = OPERAND_LETTERS[: len(values)]
    text = _HOLE.sub(lambda hole: f"{OPERAND_LETTERS[int(hole[1]) % 8]}", template)
    source, statements = _parsed(text, letters)
    inputs = [
        Input(letter, _stand_in(value, dtype), _is_float(value), Span(0, 0))
        for letter, value in zip(letters, values, strict=True)
    ]
    scenario = read_program(source, statements, inputs, dtype)
    said = () if upstream is None else (Backward(_RESULT, settle(upstream, dtype), Span(0, 0)),)
    return record_parts(replace(scenario, passes=said))


@lru_cache(maxsize=1024)
def _parsed(text: str, letters: str) -> tuple[Source, tuple[syntax.Statement, ...]]:
    source = Source(_RESULT, f"{_RESULT} = {text}\n")
    return source, parse_program(whole(source), variables=frozenset(letters))


def _stand_in(value: Known, dtype: Dtype) -> Value:
    """The value as the engine has it; of a summary some value of its shape."""
    kind = dtype if _is_float(value) else "bool" if dtype_of(value) == "bool" else "int64"
    if isinstance(value, Summary):
        return settle(np.zeros(value.shape, kind), dtype)
    return settle(value.astype(kind, copy=False) if isinstance(value, np.ndarray) else value, dtype)


def _is_float(value: Known) -> bool:
    return dtype_of(value) in (*_FLOATS, *_HALVES)


def _told(call: Call, trace: Trace, inexact: Missing | None) -> Applied | Missing:
    graph, name = graph_of(trace), call.name
    result = trace.named(_RESULT)
    by_letter = {at: index for index, at in enumerate(graph.inputs.values())}
    if result is None or graph.operation[result] is None:
        return Missing(f"{name} hands on what it is given")
    operands = graph.operands[result]
    if any(at not in by_letter and graph.operation[at] is not None for at in operands):
        return Missing(f"{name} is more than one operation of the catalogue")
    if shape_of(graph.value[result]) != shape_of(call.value) or (
        inexact is None and not _is_close(graph.value[result], call)
    ):
        return Missing(f"{name} has computed something else than the catalogue would")
    places = tuple(by_letter.get(at) for at in operands)
    if any(at not in places for at in call.asked):
        return Missing(f"the catalogue's {name} has fewer operands")
    return Applied(trace, result, places, inexact)


def _is_close(ours: Value, call: Call) -> bool:
    """Whether both are the same up to rounding, nans included; of a summary its shape is."""
    theirs = call.value
    if isinstance(theirs, Summary):
        return True
    tolerance = max(_CLOSE.get(dtype, 0.0) for dtype in call.dtypes)
    with np.errstate(all="ignore"):
        known = np.asarray(theirs)
        scale = float(np.max(np.abs(known), initial=0.0, where=np.isfinite(known)))
        return bool(np.allclose(ours, known, tolerance, tolerance * scale, equal_nan=True))
