"""`check`: a scenario's gradients against three oracles, and its `expect`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np

from backprop_engine.basics.limits import DIFFERENCE_SECONDS
from backprop_engine.basics.source import Problem, ScenarioError, Source, Span
from backprop_engine.basics.values import Value, in_full, kept, shape_of
from backprop_engine.checking.differences import FiniteDifference, finite_differences
from backprop_engine.checking.narrow import not_finite_in_float32
from backprop_engine.program.scenario import Expectation, Scenario
from backprop_engine.reading.autopsy.report import Autopsy, autopsy
from backprop_engine.run.record import record
from backprop_engine.scenarios.loader import load_target
from backprop_engine.trace import NO_NODE, StepKind, Trace
from backprop_tui.headless.printer import scenario_heading
from backprop_tui.headless.telling import full, told, told_difference
from backprop_tui.oracles.answering import answer_of
from backprop_tui.oracles.report import Failed, Ready, TorchReport
from backprop_tui.oracles.sympy.client import SymbolicOracle
from backprop_tui.oracles.sympy.judgement import SymbolicGradient, symbolic_gradients
from backprop_tui.oracles.torch.agreement import Agreement, agreement
from backprop_tui.oracles.torch.sweep import our_contribution

TORCH, FINITE_DIFFERENCE, SYMBOLIC = "torch", "finite_difference", "symbolic"
ENGINE, FLOAT32, AUTOPSY, EXPECT = "engine", "float32", "autopsy", "expect"
MOST_FAULTS = 10
"""So many single values and contributions are told; what follows from a fault is not another."""


Answer = TypeVar("Answer")


class Asks(Protocol):
    """What is wanted of the torch oracle."""

    def ask(self, trace: Trace) -> Ready[TorchReport] | Failed:
        """What torch makes of `trace`."""


@dataclass(frozen=True, slots=True)
class Complaint:
    """Something that is off: who says so, of which name (None: of all), and what."""

    oracle: str
    name: str | None
    message: str


@dataclass(frozen=True, eq=False, slots=True)
class GradientRow:
    """The final `.grad` of one input, from all sides; None where there is none."""

    name: str
    engine: Value | None
    torch: Value | None
    torch_ran: bool
    difference: FiniteDifference | None
    """None where finite differences could not run."""
    symbolic: SymbolicGradient | None
    """None where it did not run."""
    ok: bool


@dataclass(frozen=True, eq=False)
class Checked:
    """A scenario that ran, or whose error was expected."""

    scenario: str
    heading: str
    ok: bool
    values: dict[str, Value]
    gradients: tuple[GradientRow, ...]
    nodes: int
    steps: int
    complaints: tuple[Complaint, ...]
    notices: tuple[Complaint, ...] = ()
    """Why an oracle has no answer where that is all right."""
    departures: tuple[Complaint, ...] = ()
    """Where torch's result is another, and both are right or not settled: told, and all right."""
    expected_error: str = ""
    """The error's message, where the scenario is about an error."""
    autopsy: Autopsy | None = None
    """Where the first inf or nan came from, if there is one that does harm."""
    float32: str | None = None
    """The first name that is finite, and in float32 would not be."""


@dataclass(frozen=True, eq=False)
class Bad:
    """A scenario that cannot be read or run."""

    scenario: str
    error: ScenarioError


def check_scenario(
    target: str | Source,
    oracle: Asks | None,
    symbolic: SymbolicOracle | None = None,
    *,
    seconds: float = DIFFERENCE_SECONDS,
) -> Checked | Bad:
    """Check one scenario, a file or a text in the shorthand.

    Without torch if `oracle` is None, and without sympy if `symbolic` is; `seconds` are what
    finite differences have.
    """
    name = target.name if isinstance(target, Source) else target
    checked = answer_of("The engine", lambda: _read(target, name, oracle, symbolic, seconds))
    if isinstance(checked, Failed):
        return _without_trace(name, name, (Complaint(ENGINE, None, checked.sentences),))
    return checked


def _read(
    target: str | Source,
    name: str,
    oracle: Asks | None,
    symbolic: SymbolicOracle | None,
    seconds: float,
) -> Checked | Bad:
    if isinstance(target, str) and Path(target).is_dir():
        problem = Problem("there is no scenario (*.yaml) in this folder", Span(0, 0))
        return Bad(name, ScenarioError(Source(name, ""), problem))
    scenario: Scenario | None = None
    try:
        scenario = load_target(target)
        trace = record(scenario)
    except ScenarioError as error:
        expected = error.expected if scenario is None else scenario.expected_error
        if expected is None:
            return Bad(name, error)
        return _checked_error(scenario, name, error, expected)
    return _checked(scenario, name, trace, oracle, symbolic, seconds)


def _checked_error(
    scenario: Scenario | None, name: str, error: ScenarioError, expected: str
) -> Checked:
    said = "; ".join(one.sentence for one in error.problems)
    complaints: tuple[Complaint, ...] = ()
    if expected not in said:
        message = f"expected an error that says “{expected}”, but it says “{said}”"
        complaints = (Complaint(EXPECT, "error", message),)
    heading = scenario_heading("" if scenario is None else scenario.title, error.source)
    return replace(_without_trace(name, heading, complaints), expected_error=said)


def _without_trace(name: str, heading: str, complaints: tuple[Complaint, ...]) -> Checked:
    return Checked(
        scenario=name,
        heading=heading,
        ok=not complaints,
        values={},
        gradients=(),
        nodes=0,
        steps=0,
        complaints=complaints,
    )


@dataclass(frozen=True, slots=True)
class _Asking:
    """Asks one oracle after the other about one trace."""

    complaints: list[Complaint] = field(default_factory=list)
    """Why those that failed did."""

    def ask(self, oracle: str, who: str, ask: Callable[[], Answer | Failed]) -> Answer | None:
        """The answer of an oracle; None where it could not run."""
        answer = answer_of(who, ask)
        if isinstance(answer, Failed):
            self.complaints.append(Complaint(oracle, None, answer.sentences))
            return None
        return answer


def _by_torch(oracle: Asks, scenario: Scenario, trace: Trace) -> _ByTorch | Failed:
    answer = oracle.ask(trace)
    if isinstance(answer, Failed):
        return answer
    agreed = agreement(trace, answer.report)
    return _ByTorch(agreed, tuple(_faults(scenario, agreed)), tuple(_departures(agreed)))


@dataclass(frozen=True, slots=True)
class _ByTorch:
    """Where torch agrees, and what is told of where it does not."""

    agreed: Agreement
    faults: tuple[Complaint, ...]
    departures: tuple[Complaint, ...]


def _by_formulas(symbolic: SymbolicOracle, trace: Trace) -> Mapping[int, SymbolicGradient] | Failed:
    said = symbolic.ask(trace)
    if isinstance(said, Failed) and not said.is_late:
        return said
    return symbolic_gradients(trace, said)


def _checked(
    scenario: Scenario,
    name: str,
    trace: Trace,
    oracle: Asks | None,
    symbolic: SymbolicOracle | None,
    seconds: float,
) -> Checked:
    asking = _Asking()
    torch = formulas = None
    if oracle is not None:
        torch = asking.ask(TORCH, "Torch", partial(_by_torch, oracle, scenario, trace))
    if symbolic is not None:
        formulas = asking.ask(SYMBOLIC, "Sympy", partial(_by_formulas, symbolic, trace))
    differ = partial(finite_differences, trace, seconds=seconds)
    differences = asking.ask(FINITE_DIFFERENCE, "Finite differences", differ)
    narrow = asking.ask(FLOAT32, "The run in float32", partial(not_finite_in_float32, trace))
    found = asking.ask(AUTOPSY, "The autopsy", partial(autopsy, trace))
    complaints = [*asking.complaints, *(() if torch is None else torch.faults)]
    agreed = None if torch is None else torch.agreed
    rows = []
    for input_name, node in trace.nodes.inputs.items():
        if trace.nodes.requires_grad[node]:
            difference = None if differences is None else differences[node]
            formula = None if formulas is None else formulas.get(node)
            row = _row(trace, input_name, node, agreed, difference, formula)
            off = list(_row_complaints(scenario, row, trace, agreed))
            rows.append(replace(row, ok=not off))
            complaints.extend(off)
    complaints.extend(_expectations(scenario, trace))
    return Checked(
        scenario=name,
        heading=scenario_heading(scenario.title, scenario.source),
        ok=not complaints,
        values={given: in_full(trace.nodes.value[node]) for given, node in trace.assigned.items()},
        gradients=tuple(rows),
        nodes=len(trace.nodes),
        steps=len(trace),
        complaints=tuple(complaints),
        notices=tuple(_notices(rows, torch=oracle is not None, symbolic=symbolic is not None)),
        departures=() if torch is None else torch.departures,
        autopsy=found,
        float32=narrow,
    )


def _notices(rows: Sequence[GradientRow], *, torch: bool, symbolic: bool) -> Iterator[Complaint]:
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


def final_grad(trace: Trace, node: int) -> Value | None:
    """`.grad` of an input after all passes."""
    return kept((trace.passes[-1].grads or {}).get(node))


# Gradients


def _row(
    trace: Trace,
    name: str,
    node: int,
    agreed: Agreement | None,
    difference: FiniteDifference | None,
    symbolic: SymbolicGradient | None,
) -> GradientRow:
    return GradientRow(
        name=name,
        engine=final_grad(trace, node),
        torch=None if agreed is None else agreed.report.grads[trace.passes[-1].index].get(node),
        torch_ran=agreed is not None,
        difference=difference,
        symbolic=symbolic,
        ok=True,
    )


def _row_complaints(
    scenario: Scenario, row: GradientRow, trace: Trace, agreed: Agreement | None
) -> Iterator[Complaint]:
    known = scenario.disagrees.get(row.name, frozenset())
    if agreed is not None:
        compared = agreed.grad_after(trace.passes[-1].index, trace.nodes.inputs[row.name])
        agrees = compared is None or compared.agrees
        if agrees and TORCH in known:
            yield Complaint(TORCH, row.name, _AGREES_AFTER_ALL)
        elif not agrees and TORCH not in known and compared is not None:
            yield Complaint(TORCH, row.name, told("the gradient", row.engine, row.torch))
    if row.difference is not None:
        found = row.difference
        judged = found.gradient is not None or bool(found.directions)
        if judged and found.agrees and FINITE_DIFFERENCE in known:
            yield Complaint(FINITE_DIFFERENCE, row.name, _AGREES_AFTER_ALL)
        elif not found.agrees and FINITE_DIFFERENCE not in known:
            message = told_difference(row.engine, found, trace)
            yield Complaint(FINITE_DIFFERENCE, row.name, message)
    yield from _symbolic_complaints(row, is_known=SYMBOLIC in known)


def _symbolic_complaints(row: GradientRow, *, is_known: bool) -> Iterator[Complaint]:
    found = row.symbolic
    if found is None:
        return
    agrees = found.agrees(row.engine)
    if agrees and is_known and found.gradient is not None:
        yield Complaint(SYMBOLIC, row.name, _AGREES_AFTER_ALL)
    elif not agrees and not is_known:
        yield Complaint(
            SYMBOLIC,
            row.name,
            f"the gradient is {full(row.engine)} by the engine and {full(found.gradient)} by the "
            f"formula (tolerance {found.tolerance:.2g})",
        )


_AGREES_AFTER_ALL = "agrees with the engine, though the scenario says that it does not"


# Single values and contributions


def _faults(scenario: Scenario, agreed: Agreement) -> Iterator[Complaint]:
    """Where the disagreement with torch begins."""
    if any(TORCH in oracles for oracles in scenario.disagrees.values()):
        return  # known, and judged at the inputs
    faults = [*_faulty_nodes(agreed), *_faulty_steps(agreed), *_surplus(agreed)]
    yield from faults[:MOST_FAULTS]
    if len(faults) > MOST_FAULTS:
        yield Complaint(TORCH, None, f"and {len(faults) - MOST_FAULTS} more that differ")


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


def _faulty_steps(agreed: Agreement) -> Iterator[Complaint]:
    for step in agreed.faulty_steps:
        yield from _sent(agreed, step)


def _departures(agreed: Agreement) -> Iterator[Complaint]:
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
    one, compared = trace.step(step), agreed.contribution(step)
    if one.node is None or compared is None:
        return
    sender = trace.label(one.node)
    receiver = sender if one.operand is None else trace.label(one.operand)
    what = (
        f"the seed of {sender} (step {step})"
        if one.operand is None
        else f"the contribution of {sender} to {receiver} (step {step})"
    )
    joint = report.joints.get(step)
    ours = our_contribution(trace, (step,) if joint is None else joint.steps)
    theirs = report.contributions.get(step) if joint is None else joint.contribution
    yield Complaint(
        TORCH, receiver, told(what, ours, theirs, agreed.allowed_contributions.get(step))
    )


def _surplus(agreed: Agreement) -> Iterator[Complaint]:
    for one in agreed.report.surplus:
        sender, receiver = agreed.trace.label(one.node), agreed.trace.label(one.operand)
        yield Complaint(
            TORCH, receiver, f"{sender} sends a contribution to {receiver} in torch, and none here"
        )


# Expectations


def _expectations(scenario: Scenario, trace: Trace) -> Iterator[Complaint]:
    if scenario.expected_error is not None:
        message = f"expected an error that says “{scenario.expected_error}”, but there was none"
        yield Complaint(EXPECT, "error", message)
    for one in scenario.expectations:
        found = _found(one, trace)
        if not _meets(found, one):
            name = f"{one.name}.grad" if one.is_grad else one.name
            yield Complaint(
                EXPECT, name, f"expected {name} = {full(one.value)}, but it is {full(found)}"
            )


def _found(one: Expectation, trace: Trace) -> Value | None:
    inputs = trace.nodes.inputs
    if one.is_grad:  # of the input, where a computed value has its name too
        return final_grad(trace, inputs.get(one.name, trace.assigned.get(one.name, NO_NODE)))
    node = trace.assigned.get(one.name, inputs.get(one.name))
    if node is None:  # a version (`x@1`) of an input that is assigned again
        node = next(node for node, name in trace.nodes.names.items() if name == one.name)
    return in_full(trace.nodes.value[node])


def _meets(found: Value | None, one: Expectation) -> bool:
    """|found - expected| ≤ tolerance · max(1, |expected|), everywhere; nan meets nan."""
    if found is None or one.value is None:
        return found is one.value
    if shape_of(found) != shape_of(one.value):
        return False
    a, b = np.asarray(found, float), np.asarray(one.value, float)
    with np.errstate(all="ignore"):
        same = (a == b) | (np.isnan(a) & np.isnan(b))
        near = np.abs(a - b) <= one.tolerance * np.maximum(1.0, np.abs(b))
    return bool(np.all(same | (near & np.isfinite(b))))
