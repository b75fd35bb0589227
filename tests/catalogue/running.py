"""One sample, run by our engine and by torch, and judged by the tolerances of `check`."""

from __future__ import annotations

import re
import warnings
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from backprop_engine.catalogue import BINARY, FUNCTIONS, INDEX, PROPERTIES
from backprop_engine.checking.compare import (
    Comparison,
    compare,
    recompute_contribution,
    recompute_output,
)
from backprop_engine.expressions.excerpt import whole
from backprop_engine.expressions.parser import parse_program
from backprop_engine.record import record
from backprop_engine.scenarios.program import read_program
from backprop_engine.scenarios.scenario import Backward, Input, Scenario
from backprop_engine.source import ProblemError, ScenarioError, Source, Span
from backprop_engine.trace import Trace
from backprop_engine.values import Dtype, Value, settle, shape_of
from tests.catalogue.database import (
    DTYPES,
    REFLECTED,
    full_name,
    functions_of,
    run_by_torch,
    samples,
)
from tests.catalogue.writing import CannotWriteError, Line, Reason, spellings, write

MOST: Mapping[Dtype, int] = {"float64": 12, "float32": 6}
"""Samples of one entry that are run; those of different form come first."""

_NOWHERE = Span(0, 0)
_REFUSALS = (
    (Reason.KEYWORD, re.compile(r"has no keyword|takes at most|is called without|got `.*` twice")),
    (Reason.VALUE, re.compile(r"` of `.*` cannot be|must be written out")),
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
    for sample, spelling in _chosen(entry, dtype, tally):
        try:
            line = write(entry, sample, spelling, DTYPES[dtype])
            _run(entry, sample, line, dtype, tally)
        except CannotWriteError as reason:
            tally.refused[reason.reason] += 1
            tally.refusals.append(f"{spelling}: {reason}")
            continue
    return tally


def _chosen(entry: Any, dtype: Dtype, tally: Tally) -> Iterator[tuple[Any, str]]:
    """Samples with the spelling to write each in; one of each form before a second of any."""
    forms: dict[str, list[Any]] = {}
    for sample in samples(entry, dtype):
        forms.setdefault(_form(sample), []).append(sample)
        tally.generated += 1
    in_turn = [
        (rank, at, one) for at, form in enumerate(forms.values()) for rank, one in enumerate(form)
    ]
    in_turn.sort(key=lambda item: item[:2])
    chosen = in_turn[: MOST[dtype]]
    tally.not_chosen = len(in_turn) - len(chosen)
    ways = spellings(entry)
    for number, (_, _, sample) in enumerate(chosen):
        yield sample, ways[number % len(ways)]


def _form(sample: Any) -> str:
    """What a sample's call looks like, shapes and numbers left aside."""

    def shown(one: Any) -> str:
        if isinstance(one, torch.Tensor):
            return "scalar" if one.ndim == 0 else "tensor"
        if isinstance(one, tuple | list):
            return f"[{', '.join(map(shown, one))}]"
        return repr(one) if isinstance(one, bool | str | None) else type(one).__name__

    arguments = [shown(one) for one in (sample.input, *sample.args)]
    return ", ".join([*arguments, *(f"{k}={shown(v)}" for k, v in sample.kwargs.items())])


def _run(entry: Any, sample: Any, line: Line, dtype: Dtype, tally: Tally) -> None:
    """Run a sample, once for each of its outputs."""
    answer = run_by_torch(entry, sample)
    for number, output in enumerate(answer):
        expression = f"{line.expression}[{number}]" if len(answer) > 1 else line.expression
        seed = _seed(f"{tally.name} {tally.run} {number}", output)
        try:
            trace = _trace(expression, line, dtype, seed if output.requires_grad else None)
        except ScenarioError as error:
            said = error.problems[0].sentence
            reason = _reason(said)
            if reason is None:
                tally.faults.append(f"{_told(expression, line)}: {said}")
                break
            tally.refused[reason] += 1
            tally.refusals.append(f"{expression}: {said}")
            return
        judge = _Judge(trace, output, seed, line)
        judge.run()
        tally.faults += [f"{_told(expression, line)}: {fault}" for fault in judge.faults]
        tally.worst_ulp = max(tally.worst_ulp, judge.worst_ulp)
    tally.run += 1


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


def _seed(label: str, output: torch.Tensor) -> Value:
    """A random gradient without symmetry, the same one each time."""
    generator = np.random.default_rng(zlib.crc32(label.encode()))
    numpy_dtype = str(output.dtype).removeprefix("torch.")
    if not output.dtype.is_floating_point:
        return 0.0
    return _settled(generator.standard_normal(tuple(output.shape)).astype(numpy_dtype), numpy_dtype)


def _settled(array: np.ndarray, dtype: Any) -> Value:
    return settle(np.asarray(array), "float32" if dtype == "float32" else "float64")


def _value(tensor: torch.Tensor) -> Value:
    array = tensor.detach().numpy().copy()
    return _settled(array, array.dtype)


def _trace(expression: str, line: Line, dtype: Dtype, seed: Value | None) -> Trace:
    """Our run of the line, parsed from its text; backward from it where there is a seed."""
    source = Source("<sample>", f"y = {expression}")
    inputs = tuple(
        Input(name, _value(one), one.requires_grad, _NOWHERE) for name, one in line.tensors.items()
    )
    try:
        statements = parse_program(whole(source), variables=frozenset(line.tensors))
        program = read_program(source, statements, inputs, dtype)
    except ProblemError as error:
        raise ScenarioError(source, error.problem) from error
    scenario = Scenario(
        source,
        program.inputs,
        program.statements,
        () if seed is None else (Backward("y", seed, _NOWHERE),),
        dtype,
        tensors=program.tensors,
    )
    return record(scenario)


class _Judge:
    """Compares the value and every gradient with torch's."""

    def __init__(self, trace: Trace, output: torch.Tensor, seed: Value, line: Line) -> None:
        self.trace, self.graph, self.node = trace, trace.graph, trace.assigned["y"]
        self.output, self.seed, self.line = output, seed, line
        self.theirs = _value(output)
        self.faults: list[str] = []
        self.worst_ulp = 0.0

    def run(self) -> None:
        """Judge all there is; a gradient only where the values agree."""
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            self._judge_value()
            if self.output.requires_grad and not self.faults:
                self._judge_grad_fn()
                self._judge_gradients()

    def _judge_value(self) -> None:
        ours = self.graph.value[self.node]
        if _dtype(ours) != _dtype(self.theirs):
            self.faults.append(f"dtype is {_dtype(ours)}, torch's {_dtype(self.theirs)}")
            return
        compared = compare(ours, self.theirs)
        if not compared.agrees:
            operands = [self.graph.value[one] for one in self.graph.operands[self.node]]
            again = recompute_output(self.graph, self.node, operands)
            compared = compare(ours, self.theirs, again.allowed)
        self._note("values", ours, self.theirs, compared)
        if self.graph.requires_grad[self.node] != self.output.requires_grad:
            self.faults.append(f"only one of the two requires grad ({self.output.requires_grad=})")

    def _judge_grad_fn(self) -> None:
        tensors = self.line.tensors.values()
        # Of what is empty or not in order in memory, torch makes something else on the way.
        if all(one.is_contiguous() and one.numel() for one in tensors):
            ours = self.graph.grad_fn(self.node)
            theirs = "" if self.output.grad_fn is None else self.output.grad_fn.name()
            if ours != theirs:
                self.faults.append(f"grad_fn is {ours}, torch's {theirs}")

    def _judge_gradients(self) -> None:
        wanted = {name: one for name, one in self.line.tensors.items() if one.requires_grad}
        gradients = torch.autograd.grad(
            self.output,
            list(wanted.values()),
            torch.from_numpy(np.asarray(self.seed)),
            retain_graph=True,
            allow_unused=True,
        )
        for name, gradient in zip(wanted, gradients, strict=True):
            self._judge_gradient(name, None if gradient is None else _value(gradient))

    def _judge_gradient(self, name: str, theirs: Value | None) -> None:
        leaf = self.graph.inputs[name]
        ours = (self.trace.passes[-1].grads or {}).get(leaf)
        if ours is None or theirs is None:
            if ours is not theirs:
                self.faults.append(f"{name}.grad is {_short(ours)}, torch's {_short(theirs)}")
            return
        compared = compare(ours, theirs)
        if not compared.agrees and shape_of(ours) == shape_of(theirs):
            # A rule may use the output: given torch's, for a difference of one ulp can grow.
            ours, allowed = self._given_their_output(leaf)
            compared = compare(ours, theirs, allowed)
        self._note(f"gradients of {name}", ours, theirs, compared)

    def _given_their_output(self, leaf: int) -> tuple[Value, Value]:
        """What is sent to a leaf in all its places, with torch's output in the rule."""
        operands = [self.graph.value[one] for one in self.graph.operands[self.node]]
        total: Value = 0.0
        allowed: Value = 0.0
        for position, one in enumerate(self.graph.operands[self.node]):
            if one == leaf:
                sent = recompute_contribution(
                    self.graph, self.node, position, self.seed, self.theirs, operands
                )
                total, allowed = total + sent.value, allowed + sent.allowed
        return settle(total, self.graph.dtype), allowed

    def _note(self, what: str, ours: Value, theirs: Value, compared: Comparison) -> None:
        self.worst_ulp = max(self.worst_ulp, compared.ulp)
        if not compared.agrees:
            self.faults.append(
                f"{what} differ by {compared.difference:.3g} ({compared.ulp:.3g} ulp):\n"
                f"    ours  {_short(ours)}\n    torch {_short(theirs)}"
            )


def _dtype(value: Value) -> str:
    return str(np.asarray(value).dtype)


def _short(value: Any) -> str:
    text = np.array2string(np.asarray(value), precision=17, threshold=12, edgeitems=2)
    return f"{tuple(np.shape(value))} {' '.join(text.split())}"


def operations_of(entry: Any) -> set[str]:
    """The operations of the catalogue that a call of this entry can mean."""
    names = [one.rpartition(".")[2] for one in functions_of(entry)]
    found = {operation.name for name in names for operation in FUNCTIONS[name]}
    if entry.name in PROPERTIES:
        found.add(PROPERTIES[entry.name][0].name)
    if entry.name in REFLECTED:
        found.add(BINARY[REFLECTED[entry.name][0]].name)
    return found | ({INDEX.name} if entry.name == "__getitem__" else set())
