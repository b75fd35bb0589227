"""The samples of an entry, run by our engine and by torch, and what became of each."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tests.catalogue.database import (
    DTYPES,
    REFLECTED,
    full_name,
    function_name,
    functions_of,
    run_by_torch,
)
from tests.catalogue.judging import Judge
from tests.catalogue.tracing import expressions, in_turn, seed_for, trace_of
from tests.catalogue.writing import CannotWriteError, Line, Reason, spellings, write
from tests.thorough import share

from backprop_engine.basics.source import ScenarioError
from backprop_engine.basics.values import Dtype
from backprop_engine.catalogue import BINARY, FUNCTIONS, INDEX, PROPERTIES

MOST: Mapping[Dtype, int] = share({"float64": 6, "float32": 3}, {"float64": 12, "float32": 6})
"""Samples of one entry that are run; those of different form come first."""

_TRIES = 4
"""So many times as many are tried where some are refused."""

_REFUSALS = (
    (
        Reason.KEYWORD,
        re.compile(r"has no keyword|takes at most|is called without|`dtype` is given"),
    ),
    (Reason.VALUE, re.compile(r"` of `.*` cannot be|must be written out|`None` is not a value")),
    (Reason.UNSUPPORTED, re.compile(r"is not supported")),
)
_FROM_NUMPY = re.compile(r"cannot take shape|cannot broadcast shapes")
"""What our graph says when numpy has refused: an entry that takes these operands never does."""


@dataclass
class Tally:
    """What became of all samples of one entry in one dtype."""

    name: str
    dtype: str
    generated: int = 0
    run: int = 0
    not_chosen: int = 0
    refused: Counter[Reason] = field(default_factory=Counter)
    refusals: list[str] = field(default_factory=list)
    """For people: each refused line with what was said."""
    faults: list[str] = field(default_factory=list)
    worst_ulp: float = 0.0


def run_entry(entry: Any, dtype: Dtype) -> Tally:
    """Run the chosen samples of an entry."""
    tally = Tally(full_name(entry), dtype)
    listed = in_turn(entry, dtype)
    tally.generated = tally.not_chosen = len(listed)
    ways = spellings(entry)
    for number, sample in enumerate(listed):
        if tally.run >= MOST[dtype] or number >= _TRIES * MOST[dtype]:
            break
        tally.not_chosen -= 1
        spelling = ways[number % len(ways)]
        try:
            line = write(entry, sample, spelling, DTYPES[dtype])
            _run(entry, sample, line, dtype, tally)
        except CannotWriteError as reason:
            tally.refused[reason.reason] += 1
            tally.refusals.append(f"{spelling}: {reason}")
            continue
    return tally


def _run(entry: Any, sample: Any, line: Line, dtype: Dtype, tally: Tally) -> None:
    """Run a sample, once for each of its outputs."""
    answer = run_by_torch(entry, sample)
    floats = [one.dtype for one in answer.outputs if one.is_floating_point()]
    if not answer.is_number and any(one != DTYPES[dtype] for one in floats):
        raise CannotWriteError(Reason.OTHER_FLOAT)
    for expression, output in zip(expressions(line, answer), answer.outputs, strict=True):
        seed = seed_for(f"{tally.name} {tally.run} {expression}", output)
        try:
            trace = trace_of(expression, line, dtype, seed if output.requires_grad else None)
        except ScenarioError as error:
            said = error.problems[0].sentence
            less = _with_one_gradient(line) if "which requires grad" in said else None
            if less is not None:
                _run(entry, sample, less, dtype, tally)
            else:
                _count_refusal(tally, expression, line, said)
            return
        except (ArithmeticError, LookupError, TypeError, ValueError) as error:
            tally.faults.append(f"{_told(expression, line)}: {type(error).__name__}: {error}")
            break
        judge = Judge(trace, output, seed, line)
        judge.run()
        tally.faults += [f"{_told(expression, line)}: {fault}" for fault in judge.faults]
        tally.worst_ulp = max(tally.worst_ulp, judge.worst_ulp)
    tally.run += 1


def _count_refusal(tally: Tally, expression: str, line: Line, said: str) -> None:
    reason = _reason(said)
    if reason is None:
        tally.faults.append(f"{_told(expression, line)}: {said}")
    else:
        tally.refused[reason] += 1
        tally.refusals.append(f"{expression}: {said}")


def _with_one_gradient(line: Line) -> Line | None:
    """The same with no gradient but for the first operand; None if it is so already."""
    others = list(line.tensors)[1:]
    if not any(line.tensors[name].requires_grad for name in others):
        return None
    fixed = {name: line.tensors[name].detach() for name in others}
    return replace(line, tensors={**line.tensors, **fixed})


def _reason(said: str) -> Reason | None:
    """Which kind of refusal a message is; None for one that should not be."""
    for reason, pattern in _REFUSALS:
        if pattern.search(said):
            return reason
    known = said.startswith("`") and not _FROM_NUMPY.search(said) and "unknown" not in said
    return Reason.OPERANDS if known and "does not require grad" not in said else None


def _told(expression: str, line: Line) -> str:
    shapes = [f"{name} {tuple(one.shape)}" for name, one in line.tensors.items()]
    return f"{expression}  with {', '.join(shapes)}"


def operations_of(entry: Any) -> set[str]:
    """The operations of the catalogue that a call of this entry can mean."""
    names = [function_name(one) for one in functions_of(entry)]
    found = {operation.name for name in names for operation in FUNCTIONS[name]}
    if entry.name in PROPERTIES:
        found.add(PROPERTIES[entry.name][0].name)
    if entry.name in REFLECTED:
        found.add(BINARY[REFLECTED[entry.name][0]].name)
    return found | ({INDEX.name} if entry.name == "__getitem__" else set())
