"""What a check complains of: gradients, single values, contributions, and what was expected."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from backprop_engine.basics import notation
from backprop_engine.basics.values import Value, in_full, kept, same_elements, settle, shape_of
from backprop_engine.checking.compare import compare, worst_element
from backprop_engine.checking.differences import FiniteDifference
from backprop_engine.program.scenario import Expectation, Scenario
from backprop_engine.trace import NO_NODE, StepKind, Trace
from backprop_tui.headless.checked import (
    EXPECT,
    FINITE_DIFFERENCE,
    SYMBOLIC,
    TORCH,
    Complaint,
    GradientRow,
)
from backprop_tui.oracles.sympy.judgement import SymbolicGradient
from backprop_tui.oracles.torch.agreement import Agreement
from backprop_tui.oracles.torch.sweep import our_contribution

MOST_FAULTS = 10
"""So many single values and contributions are told; what follows from a fault is not another."""
_AGREES_AFTER_ALL = "agrees with the engine, though the scenario says that it does not"


def notices(rows: Sequence[GradientRow], *, torch: bool, symbolic: bool) -> Iterator[Complaint]:
    """Why an oracle has no answer where that is all right."""
    if not torch:
        yield Complaint(TORCH, None, "not run: --no-torch")
    if not symbolic:
        yield Complaint(SYMBOLIC, None, "not run: --no-symbolic")
    for row in rows:
        found = row.difference
        if found is not None and found.skipped and found.gradient is None and not found.directions:
            yield Complaint(FINITE_DIFFERENCE, row.name, f"skipped: {found.reason}")
        if row.symbolic is not None and row.symbolic.reason:
            yield Complaint(SYMBOLIC, row.name, f"skipped: {row.symbolic.reason}")


def placed(complaint: Complaint, trace: Trace) -> Complaint:
    """The same with the place of what it is about, unless it has one."""
    name = complaint.name
    if name is None or complaint.place is not None:
        return complaint
    node = trace.nodes.inputs.get(name, trace.named(name))
    place = None if node is None else trace.nodes.place(node)
    return complaint if place is None else replace(complaint, place=place.position)


# Gradients


def row_complaints(
    scenario: Scenario, row: GradientRow, trace: Trace, agreed: Agreement | None
) -> Iterator[Complaint]:
    """Where an oracle disagrees, or agrees though the scenario says that it does not."""
    known = scenario.disagrees.get(row.name, frozenset())
    for oracle, agrees, tell in _verdicts(row, trace, agreed):
        if agrees and oracle in known:
            yield Complaint(oracle, row.name, _AGREES_AFTER_ALL)
        elif not agrees and oracle not in known:
            yield Complaint(oracle, row.name, tell())


def _verdicts(
    row: GradientRow, trace: Trace, agreed: Agreement | None
) -> Iterator[tuple[str, bool, Callable[[], str]]]:
    """Each oracle that can judge the gradient, whether it agrees, and what to say if not."""
    if agreed is not None:
        compared = agreed.grad_after(trace.passes[-1].index, trace.nodes.inputs[row.name])
        agrees = compared is None or compared.agrees
        yield TORCH, agrees, partial(told, "the gradient", row.engine, row.torch)
    estimate = row.difference
    if estimate is not None:
        is_judged = estimate.gradient is not None or bool(estimate.directions)
        if is_judged or not estimate.agrees:
            tell = partial(told_difference, row.engine, estimate, trace)
            yield FINITE_DIFFERENCE, estimate.agrees, tell
    formula = row.symbolic
    if formula is not None and (formula.gradient is not None or not formula.agrees(row.engine)):
        yield SYMBOLIC, formula.agrees(row.engine), partial(_told_formula, row, formula)


def _told_formula(row: GradientRow, formula: SymbolicGradient) -> str:
    return (
        f"the gradient is {full(row.engine)} by the engine and {full(formula.gradient)} by the "
        f"formula (tolerance {formula.tolerance:.2g})"
    )


# Single values and contributions


def faults(scenario: Scenario, agreed: Agreement) -> Iterator[Complaint]:
    """Where the disagreement with torch begins."""
    if any(TORCH in oracles for oracles in scenario.disagrees.values()):
        return  # known, and judged at the inputs
    sent = [complaint for step in agreed.faulty_steps for complaint in _sent(agreed, step)]
    found = [*_faulty_nodes(agreed), *sent, *_surplus(agreed)]
    yield from found[:MOST_FAULTS]
    if len(found) > MOST_FAULTS:
        yield Complaint(TORCH, None, f"and {len(found) - MOST_FAULTS} more that differ")


def _faulty_nodes(agreed: Agreement) -> Iterator[Complaint]:
    for node in agreed.faulty_nodes:
        compared = agreed.value(node)
        if compared is not None:
            label, ours = agreed.trace.label(node), in_full(agreed.trace.nodes.value[node])
            theirs, allowed = agreed.report.values.get(node), agreed.allowed_values.get(node)
            message = told(f"the value of {label}", ours, theirs, allowed)
            yield Complaint(TORCH, label, message + _made_of_it(agreed, node))


def _made_of_it(agreed: Agreement, node: int) -> str:
    """What a later step makes of a difference that is too small to count."""
    later = agreed.blown_up.get(node)
    if later is None or later == node:
        return ""
    label, ours = agreed.trace.label(later), in_full(agreed.trace.nodes.value[later])
    theirs, compared = agreed.report.values.get(later), agreed.value(later)
    if compared is None or compared.agrees:
        return f"; what {label} sends back depends on it"
    return "; of that comes " + told(label, ours, theirs)


def departures(agreed: Agreement) -> Iterator[Complaint]:
    """Where torch's result is another, and both are right: both are told."""
    for step, words in list(agreed.departures.items())[:MOST_FAULTS]:
        for both in _by_both(agreed, step):
            yield replace(both, message=f"{both.message}: {words}")
    more = len(agreed.departures) - MOST_FAULTS
    if more > 0:
        yield Complaint(TORCH, None, f"and {more} more of this kind")


def _by_both(agreed: Agreement, step: int) -> Iterator[Complaint]:
    """The result of a step, or the running sum after it."""
    trace, report = agreed.trace, agreed.report
    at = trace.step(step)
    if at.kind is StepKind.FORWARD and at.node is not None:
        label, ours = trace.label(at.node), in_full(trace.nodes.value[at.node])
        theirs = report.values.get(at.node)
        yield Complaint(TORCH, label, told(f"the value of {label}", ours, theirs))
    elif step in agreed.adrift_totals and at.operand is not None:
        label, total = trace.label(at.operand), kept(trace.totals[step])
        what = f"the gradient of {label} after step {step}"
        yield Complaint(TORCH, label, told(what, total, report.totals.get(step)))
    else:
        yield from _sent(agreed, step)


def _sent(agreed: Agreement, step: int) -> Iterator[Complaint]:
    """What is sent in a step, by both."""
    trace, report = agreed.trace, agreed.report
    node, operand = trace.step(step).node, trace.step(step).operand
    if node is None or agreed.contribution(step) is None:
        return
    sender = receiver = trace.label(node)
    what = f"the seed of {sender} (step {step})"
    if operand is not None:
        receiver = trace.label(operand)
        what = f"the contribution of {sender} to {receiver} (step {step})"
    joint = report.joints.get(step)
    ours = our_contribution(trace, (step,) if joint is None else joint.steps)
    theirs = report.contributions.get(step) if joint is None else joint.contribution
    allowed = agreed.allowed_contributions.get(step)
    yield Complaint(TORCH, receiver, told(what, ours, theirs, allowed))


def _surplus(agreed: Agreement) -> Iterator[Complaint]:
    for edge in agreed.report.surplus:
        sender, receiver = agreed.trace.label(edge.node), agreed.trace.label(edge.operand)
        said = f"{sender} sends a contribution to {receiver} in torch, and none here"
        yield Complaint(TORCH, receiver, said)


# Expectations


def expectations(scenario: Scenario, trace: Trace) -> Iterator[Complaint]:
    """Where something else was expected."""
    if scenario.expected_error is not None:
        message = f"expected an error that says “{scenario.expected_error}”, but there was none"
        yield Complaint(EXPECT, "error", message)
    for wanted in scenario.expectations:
        found = _found(wanted, trace)
        if not _meets(found, wanted):
            name = f"{wanted.name}.grad" if wanted.is_grad else wanted.name
            said = f"expected {name} = {full(wanted.value)}, but it is {full(found)}"
            place = scenario.source.position(wanted.span.start)
            yield Complaint(EXPECT, name, said, place)


def _found(wanted: Expectation, trace: Trace) -> Value | None:
    inputs, name = trace.nodes.inputs, wanted.name
    if wanted.is_grad:  # of the input, where a computed value has its name too
        return kept(trace.final_grad(inputs.get(name, trace.assigned.get(name, NO_NODE))))
    node = trace.assigned.get(name, inputs.get(name))
    if node is None:  # a version (`x@1`) of an input that is assigned again
        node = next(node for node, known in trace.nodes.names.items() if known == name)
    return in_full(trace.nodes.value[node])


def _meets(found: Value | None, wanted: Expectation) -> bool:
    """|found - expected| ≤ tolerance · max(1, |expected|), everywhere; nan meets nan."""
    if found is None or wanted.value is None:
        return found is wanted.value
    if shape_of(found) != shape_of(wanted.value):
        return False
    a, b = np.asarray(found, float), np.asarray(wanted.value, float)
    with np.errstate(all="ignore"):
        near = np.abs(a - b) <= wanted.tolerance * np.maximum(1.0, np.abs(b))
    return bool(np.all(same_elements(a, b) | (near & np.isfinite(b))))


_MOST_NAMED = 10
"""Inputs that a direction goes through are named."""


def told(what: str, ours: Value | None, theirs: Value | None, allowed: Value | None = None) -> str:
    """`what` by both, and how far that is apart.

    The worst element of arrays is the one that is off by most of what is `allowed`, if that is
    known, and else by the largest number.
    """
    if ours is None or theirs is None or shape_of(ours) != shape_of(theirs):
        return f"{what} is {full(ours)} by the engine and {full(theirs)} by torch"
    at = worst_element(ours, theirs, np.inf if allowed is None else allowed)
    our_number, their_number = _at(ours, at), _at(theirs, at)
    compared = compare(our_number, their_number)
    apart = ""
    if np.isfinite(compared.difference):
        counted = f", {compared.ulp:.0f} ulp" if np.isfinite(compared.ulp) else ""
        apart = f" ({compared.difference:.2g} apart{counted})"
    return (
        f"{what}{_place(at)} is {notation.number(our_number)} by the engine and "
        f"{notation.number(their_number)} by torch{apart}"
    )


def told_difference(engine: Value | None, found: FiniteDifference, trace: Trace) -> str:
    """Where finite differences contradict a gradient of the engine."""
    for direction in found.directions:
        if not direction.agrees:
            named = [trace.label(node) for node in direction.nodes[:_MOST_NAMED]]
            more = len(direction.nodes) - len(named)
            through = ", ".join([*named, *([f"{more:,} more"] if more else [])])
            return (
                f"along a random direction through {through} the slope is "
                f"{direction.engine!r} by the engine and "
                f"{direction.finite_difference!r} by finite differences "
                f"(tolerance {direction.tolerance:.2g})"
            )
    at = _worst(engine, found)
    return (
        f"the gradient{_place(at)} is {_element(engine, at)} by the engine and "
        f"{_element(found.gradient, at)} by finite differences "
        f"(tolerance {float(np.asarray(found.tolerance)[at]):.2g})"
    )


def _worst(engine: Value | None, found: FiniteDifference) -> tuple[int, ...]:
    """The index of the element that is furthest off, in units of its tolerance."""
    if engine is None or found.gradient is None:
        return (0,) * np.ndim(found.tolerance)
    is_judged = np.isfinite(found.gradient)
    estimate = np.where(is_judged, found.gradient, engine)
    return worst_element(np.asarray(engine, float), estimate, found.tolerance)


def _at(value: Value, at: tuple[int, ...]) -> Value:
    """One element, with the dtype it has in `value`."""
    array = np.asarray(value)
    return settle(array[at], "float32" if array.dtype == np.float32 else "float64")


def _place(at: tuple[int, ...]) -> str:
    return f" at {list(at)}" if at else ""


def _element(value: Value | None, at: tuple[int, ...]) -> str:
    return "None" if value is None else notation.number(np.asarray(value)[at].item())


def full(value: Value | None) -> str:
    """All elements on one line."""
    return "None" if value is None else " ".join(notation.full(value).split())
