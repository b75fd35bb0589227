"""`check`: a scenario's gradients against three oracles, and its `expect`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import monotonic
from typing import NamedTuple, Protocol, TypeVar

from backprop_engine.basics.limits import DIFFERENCE_SECONDS
from backprop_engine.basics.source import Problem, ScenarioError, Source, Span
from backprop_engine.basics.values import in_full, kept
from backprop_engine.checking.differences import finite_differences
from backprop_engine.checking.narrow import not_finite_in_float32
from backprop_engine.program.scenario import Scenario
from backprop_engine.reading.autopsy.report import autopsy
from backprop_engine.run.record import record
from backprop_engine.scenarios.loader import load_target
from backprop_engine.trace import Trace
from backprop_tui.headless import complaints as complain
from backprop_tui.headless.checked import (
    AUTOPSY,
    ENGINE,
    EXPECT,
    FINITE_DIFFERENCE,
    FLOAT32,
    SYMBOLIC,
    TORCH,
    Bad,
    Checked,
    Complaint,
    GradientRow,
)
from backprop_tui.headless.printer import scenario_heading
from backprop_tui.oracles.answering import answer_of
from backprop_tui.oracles.memory import give_back_memory
from backprop_tui.oracles.report import Failed, Ready, TorchReport
from backprop_tui.oracles.sympy.client import SymbolicOracle
from backprop_tui.oracles.sympy.judgement import SymbolicGradient, symbolic_gradients
from backprop_tui.oracles.torch.agreement import Agreement, agreement

Answer = TypeVar("Answer")


class Asks(Protocol):
    """What is wanted of the torch oracle."""

    def ask(self, trace: Trace) -> Ready[TorchReport] | Failed:
        """What torch makes of `trace`."""


class How(NamedTuple):
    """Whom to ask: no torch, no sympy where it is None; seconds that finite differences have."""

    torch: Asks | None
    sympy: SymbolicOracle | None
    seconds: float


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
    how = How(oracle, symbolic, seconds)
    began = monotonic()
    checked = answer_of("The engine", lambda: _read(target, name, how))
    give_back_memory()  # of the trace, whose scenario may be one of many
    if isinstance(checked, Failed):
        checked = Checked(name, name, (Complaint(ENGINE, None, checked.sentences),))
    return replace(checked, seconds=monotonic() - began)


def _read(target: str | Source, name: str, how: How) -> Checked | Bad:
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
    return _checked(scenario, name, trace, how)


def _checked_error(
    scenario: Scenario | None, name: str, error: ScenarioError, expected: str
) -> Checked:
    said = "; ".join(problem.sentence for problem in error.problems)
    found: tuple[Complaint, ...] = ()
    if expected not in said:
        message = f"expected an error that says “{expected}”, but it says “{said}”"
        found = (Complaint(EXPECT, "error", message),)
    heading = scenario_heading("" if scenario is None else scenario.title, error.source)
    return Checked(name, heading, found, expected_error=said)


def _checked(scenario: Scenario, name: str, trace: Trace, how: How) -> Checked:
    found: list[Complaint] = []

    def asked(oracle: str, who: str, ask: Callable[[], Answer | Failed]) -> Answer | None:
        """The answer of an oracle; None where it could not run, which is complained of."""
        answer = answer_of(who, ask)
        if not isinstance(answer, Failed):
            return answer
        found.append(Complaint(oracle, None, answer.sentences))
        return None

    torch = formulas = None
    if how.torch is not None:
        torch = asked(TORCH, "Torch", partial(_by_torch, how.torch, scenario, trace))
    if how.sympy is not None:
        formulas = asked(SYMBOLIC, "Sympy", partial(_by_formulas, how.sympy, trace))
    differ = partial(finite_differences, trace, seconds=how.seconds)
    differences = asked(FINITE_DIFFERENCE, "Finite differences", differ)
    narrow = asked(FLOAT32, "The run in float32", partial(not_finite_in_float32, trace))
    first_broken = asked(AUTOPSY, "The autopsy", partial(autopsy, trace))
    agreed, faults, departures = torch or (None, (), ())
    found += faults
    rows, last = [], trace.passes[-1].index
    for input_name, node in trace.nodes.inputs.items():
        if trace.nodes.requires_grad[node]:
            row = GradientRow(
                name=input_name,
                engine=kept(trace.final_grad(node)),
                torch=None if agreed is None else agreed.report.grads[last].get(node),
                torch_ran=agreed is not None,
                difference=None if differences is None else differences[node],
                symbolic=None if formulas is None else formulas.get(node),
                ok=True,
            )
            off = list(complain.row_complaints(scenario, row, trace, agreed))
            compared = None if agreed is None else agreed.grad_after(last, node)
            is_open = compared is not None and compared.is_open
            rows.append(replace(row, ok=not off, is_open=is_open))
            found += off
    found += complain.expectations(scenario, trace)
    is_asked = {"torch": how.torch is not None, "symbolic": how.sympy is not None}
    return Checked(
        scenario=name,
        heading=scenario_heading(scenario.title, scenario.source),
        complaints=tuple(complain.placed(said, trace) for said in found),
        values={given: in_full(trace.nodes.value[node]) for given, node in trace.assigned.items()},
        gradients=tuple(rows),
        nodes=len(trace.nodes),
        steps=len(trace),
        notices=tuple(complain.notices(rows, **is_asked)),
        departures=departures,
        not_settled=0 if agreed is None else len(agreed.departures),
        autopsy=first_broken,
        float32=narrow,
    )


_ByTorch = tuple[Agreement, tuple[Complaint, ...], tuple[Complaint, ...]]
"""Where torch agrees, its faults, and its departures."""


def _by_torch(oracle: Asks, scenario: Scenario, trace: Trace) -> _ByTorch | Failed:
    answer = oracle.ask(trace)
    if isinstance(answer, Failed):
        return answer
    agreed = agreement(trace, answer.report)
    faults = tuple(complain.faults(scenario, agreed))
    return agreed, faults, tuple(complain.departures(agreed))


def _by_formulas(symbolic: SymbolicOracle, trace: Trace) -> Mapping[int, SymbolicGradient] | Failed:
    said = symbolic.ask(trace)
    if isinstance(said, Failed) and not said.is_late:
        return said
    return symbolic_gradients(trace, said)
