"""A sample's line as a trace of ours: parsed from its text, recorded, backward with a seed."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import torch
from tests.catalogue.database import DTYPES, Answer, full_name, run_by_torch, samples
from tests.catalogue.writing import CannotWriteError, Line, spellings, write

from backprop_engine.basics.source import ProblemError, ScenarioError, Source, Span
from backprop_engine.basics.values import Dtype, Value, kept, settle
from backprop_engine.grammar.excerpt import whole
from backprop_engine.grammar.parser import parse_program
from backprop_engine.program.scenario import Backward, Input, Scenario
from backprop_engine.program.statements import read_program
from backprop_engine.run.record import record
from backprop_engine.trace import Trace

_NOWHERE = Span(0, 0)


def in_turn(entry: Any, dtype: Dtype, most: int | None = None) -> list[Any]:
    """The samples of an entry; one of each form comes before a second of any."""
    forms: dict[str, list[Any]] = {}
    for sample in samples(entry, dtype, most):
        forms.setdefault(_form(sample), []).append(sample)
    ranked = [
        (rank, at, one) for at, form in enumerate(forms.values()) for rank, one in enumerate(form)
    ]
    return [one for _, _, one in sorted(ranked, key=lambda item: item[:2])]


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


def expressions(line: Line, answer: Answer) -> list[str]:
    """The line's expression for each of the outputs."""
    if answer.is_one:
        return [line.expression]
    return [f"{line.expression}[{number}]" for number in range(len(answer.outputs))]


def seed_for(label: str, output: torch.Tensor) -> Value:
    """A random gradient without symmetry, the same one each time."""
    generator = np.random.default_rng(zlib.crc32(label.encode()))
    numpy_dtype = str(output.dtype).removeprefix("torch.")
    if not output.dtype.is_floating_point:
        return 0.0
    return _settled(generator.standard_normal(tuple(output.shape)).astype(numpy_dtype), numpy_dtype)


def _settled(array: np.ndarray, dtype: Any) -> Value:
    return settle(np.asarray(array), "float32" if dtype == "float32" else "float64")


def value_of(tensor: torch.Tensor) -> Value:
    array = tensor.numpy(force=True).copy()
    return _settled(array, array.dtype)


def trace_of(expression: str, line: Line, dtype: Dtype, seed: Value | None) -> Trace:
    """Our run of the line, parsed from its text; backward from it where there is a seed."""
    source = Source("<sample>", f"y = {expression}")
    inputs = tuple(
        Input(name, value_of(one), one.requires_grad, _NOWHERE)
        for name, one in line.tensors.items()
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


class Traced(NamedTuple):
    """A trace of one output of a sample, and what it takes to make another like it."""

    trace: Trace
    line: Line
    expression: str


def traced(entry: Any, dtype: Dtype, most: int) -> Iterator[Traced]:
    """The first samples that can be written and whose output requires grad."""
    ways = spellings(entry)
    found = 0
    for sample in in_turn(entry, dtype, 10 * most):
        try:
            line = write(entry, sample, ways[0], DTYPES[dtype])
            answer = run_by_torch(entry, sample)
            for expression, output in zip(expressions(line, answer), answer.outputs, strict=True):
                if output.requires_grad and output.numel():
                    seed = seed_for(f"{full_name(entry)} {found}", output)
                    yield Traced(trace_of(expression, line, dtype, seed), line, expression)
                    found += 1
        except (CannotWriteError, ScenarioError):
            continue  # counted where the samples themselves are tested
        if found >= most:
            return


def narrowed(one: Traced, dtype: Dtype) -> Trace | None:
    """The same with the last operand reduced to one row, which is broadcast; None if it cannot."""
    name, tensor = list(one.line.tensors.items())[-1]
    seed = kept(one.trace.contributions[one.trace.passes[-1].start])
    if len(one.line.tensors) < 2 or tensor.ndim == 0 or tensor.shape[0] < 2:
        return None
    tensors = {**one.line.tensors, name: tensor[:1].detach().requires_grad_(tensor.requires_grad)}
    return trace_of(one.expression, replace(one.line, tensors=tensors), dtype, seed)
