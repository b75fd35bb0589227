"""A wrong rule of any operation is caught by the comparison with torch that `check` makes.

Torch runs each scenario once, by the code that the torch process itself runs; a wrong rule
changes our side only.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from tests.catalogue.database import shared
from tests.catalogue.mutations import MUTATIONS, NotComputableError, mutate, positions, rerun
from tests.catalogue.running import operations_of
from tests.catalogue.tracing import narrowed, traced
from tests.piped import piped
from tests.thorough import share

from backprop_engine.basics.source import Source
from backprop_engine.basics.values import in_full
from backprop_engine.catalogue import OPERATIONS
from backprop_engine.operation import Operation
from backprop_engine.run.record import record
from backprop_engine.run.tape import graph_of
from backprop_engine.scenarios.loader import parse_shorthand
from backprop_engine.trace import Trace
from backprop_tui.oracles.report import TorchReport
from backprop_tui.oracles.torch import child
from backprop_tui.oracles.torch.agreement import Agreement, agreement
from backprop_tui.oracles.torch.protocol import decode_report, encode_request

SAME = 1e-10
"""Of the largest number: a wrong rule that changes less is taken for a right one."""
MOST_SAMPLES, MOST_SCENARIOS = share(usual=4, thorough=6), 3
"""Samples of each entry of torch's database that are looked at, and scenarios that are run."""
ENOUGH = share(usual=1, thorough=MOST_SCENARIOS)
"""Of these, so many are run where every rule that must be caught is caught by then."""
TRIED = {
    title: wrong
    for title, wrong in MUTATIONS.items()
    if title not in share(usual=("the other sign", "twice", "nothing"), thorough=())
}
"""A rule that is off by more than a thousandth is caught where one is that is off by that."""


NEVER_SENT_THROUGH = {"float"}
"""Of numbers that are floats already it makes no node, and others have no gradient."""
GRADIENTS = [
    name
    for name, one in OPERATIONS.items()
    if one.differentiable and one.derivatives and name not in NEVER_SENT_THROUGH
]


@cache
def entries_by_operation() -> dict[str, list[Any]]:
    """The entries of torch's database that a call of each operation may mean."""
    found: dict[str, list[Any]] = {name: [] for name in OPERATIONS}
    for entry in shared().values():
        for name in operations_of(entry):
            found[name].append(entry)
    return found


def scenarios_of(operation: Operation) -> list[Trace]:
    """Some traces that send a gradient through the operation; those that broadcast come first."""
    found = [
        one
        for entry in entries_by_operation()[operation.name]
        for one in traced(entry, "float64", MOST_SAMPLES)
    ]
    found = [one for one in found if list(positions(one.trace, operation.name))]
    traces = [one.trace for one in found]
    if operation.elementwise and not any(map(broadcasts, traces)):
        traces += filter(None, (narrowed(one, "float64") for one in found))
    if operation.description.example:
        example = record(parse_shorthand(Source("<-e>", operation.description.example)))
        traces += [example] if list(positions(example, operation.name)) else []
    return sorted(traces, key=lambda trace: not broadcasts(trace))[:MOST_SCENARIOS]


def broadcasts(trace: Trace) -> bool:
    """Whether operands of the last operation differ in shape."""
    graph, node = graph_of(trace), list(trace.assigned.values())[-1]
    return len({np.shape(graph.value[one]) for one in graph.operands[node]}) > 1


def sums_itself(operation: Operation, trace: Trace) -> bool:
    """Whether the rules answer in the operands' shapes or send zeros: nothing is to be summed."""
    graph, last = graph_of(trace), trace.passes[-1]
    for step in range(last.start + 1, last.stop):
        node, operand, position = trace.edge(step)
        made_by = graph.operation[node]
        if made_by is not None and made_by.name == operation.name:
            upstream = trace.gradient(node, step)
            operands = [graph.value[one] for one in graph.operands[node]]
            attributes = graph.attributes_of(node)
            sent = made_by.send(position, upstream, graph.value[node], operands, attributes)
            if np.shape(sent) != np.shape(graph.value[operand]) and np.any(sent):
                return False
    return True


def asked(trace: Trace) -> TorchReport:
    """What the torch process answers, without the process."""
    before = torch.get_default_dtype()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            reply = piped(child.answer(piped(encode_request(trace))))
            return decode_report(trace, reply)
        finally:
            torch.set_default_dtype(before)


def is_caught(agreed: Agreement) -> bool:
    last = agreed.trace.passes[-1]
    grads = [agreed.grad_after(last.index, node) for node in last.grads or {}]
    return bool(agreed.faulty_steps) or any(grad is not None and not grad.agrees for grad in grads)


def is_the_same(trace: Trace, mutated: Trace) -> bool:
    """Whether the wrong rule is right here: it moves equal numbers, or zeros.

    Equal up to rounding, for a symmetric matrix comes out symmetric to the last digit but one.
    """
    for ours, theirs in zip(trace.contributions, mutated.contributions, strict=True):
        if ours is None or theirs is None:
            continue
        ours, theirs = in_full(ours), in_full(theirs)
        largest = float(np.max(np.abs(ours), initial=0.0))
        with np.errstate(all="ignore"):
            if not np.allclose(ours, theirs, rtol=0, atol=SAME * largest, equal_nan=True):
                return False
    return True


def outcomes(operation: Operation, trace: Trace, report: TorchReport) -> Iterator[tuple[str, str]]:
    """For every wrong rule: what it is, and `caught`, `right here` or `missed`."""
    for position in positions(trace, operation.name):
        for title, wrong in TRIED.items():
            what = f"{title}, operand {position}"
            try:
                mutated = rerun(trace, operation.name, mutate(operation, position, wrong))
            except NotComputableError:
                yield what, "caught"
                continue
            if is_the_same(trace, mutated):
                yield what, "right here"
            else:
                caught = is_caught(agreement(mutated, report))
                yield what, "caught" if caught else "missed"


def is_one_more_caught(found: dict[str, set[str]]) -> bool:
    return all("caught" in found[what] for what in found if what.startswith("one more"))


def is_first_copy_caught(found: dict[str, set[str]]) -> bool:
    return any("caught" in found[what] for what in found if what.startswith("the first copy only"))


@pytest.mark.parametrize("name", GRADIENTS)
def test_a_wrong_rule_is_caught(name: str) -> None:
    operation = OPERATIONS[name]
    found: dict[str, set[str]] = {}
    scenarios = scenarios_of(operation)
    has_several = operation.elementwise and len(operation.derivatives) > 1
    is_summed = has_several and not all(sums_itself(operation, trace) for trace in scenarios)
    for number, trace in enumerate(scenarios):
        is_done = is_one_more_caught(found) and is_summed == is_first_copy_caught(found)
        if number >= ENOUGH and is_done:
            break
        report = asked(trace)
        assert not is_caught(agreement(trace, report)), trace.heading.files[0].text
        for what, outcome in outcomes(operation, trace, report):
            assert outcome != "missed", f"{what}: {trace.heading.files[0].text}"
            found.setdefault(what, set()).add(outcome)
    # A derivative may be 0 wherever it is; a rule that sends 1 more then is wrong all the same.
    assert found, "no scenario sends a gradient through it"
    assert is_one_more_caught(found)
    if has_several:
        assert any(map(broadcasts, scenarios)), "nothing is broadcast"
        assert is_summed == is_first_copy_caught(found)
