"""Whatever an oracle raises, over whatever operation: the scenario and the run go on."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import cycle, islice
from operator import attrgetter
from typing import Any

import numpy as np
import pytest
from tests.piped import arrived, piped
from tests.thorough import share

from backprop_engine.basics.source import OperandError, Source
from backprop_engine.budget import LimitError
from backprop_engine.catalogue import OPERATIONS
from backprop_engine.operation import Operation
from backprop_tui.headless import check as checking
from backprop_tui.headless import run as headless
from backprop_tui.oracles.client import TORCH, Oracle
from backprop_tui.oracles.messages import NO_MESSAGE, packed
from backprop_tui.oracles.process import Role
from backprop_tui.oracles.serving import Answer, reply_to
from backprop_tui.oracles.sympy import child as symbolic_child
from backprop_tui.oracles.sympy.child import TOO_DEEP
from backprop_tui.oracles.sympy.client import SYMPY, SymbolicOracle
from backprop_tui.oracles.torch import child

EXAMPLES = {
    name: operation.description.example
    for name, operation in [*OPERATIONS.items()][:: share(5, 1)]
    if operation.description.example
}
RAISED = (
    RuntimeError, MemoryError, RecursionError, LimitError, KeyError, ZeroDivisionError, TypeError,
    ValueError, AttributeError, AssertionError, NotImplementedError, OSError, StopIteration,
)  # fmt: skip
LEAVING = (OperandError, np.linalg.LinAlgError)
"""What says of values beside the recorded ones that they are outside of an operation's domain."""

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # torch tells of what it copies


class InProcess:
    """A child that is this very process."""

    def __init__(self, role: Role, answer: Answer) -> None:
        self._role, self._answer = role, answer

    def ask(self, message: Any, decode: Any, seconds: float | None = None) -> Any:
        reply = arrived(reply_to(self._answer, piped(message), lambda: 1))
        try:
            return self._role.answer_to(reply, decode)
        except NO_MESSAGE:
            return self._role.no_answer(packed(reply))

    def close(self) -> None:
        return None


class Trap:
    """Makes a part of every operation raise while it is open, and counts how often it has."""

    def __init__(self, part: str, kinds: tuple[type[Exception], ...]) -> None:
        self.sprung = 0
        """Of the questions asked while it was open, how many an operation raised in."""
        self._is_open = self._has_sprung = False
        self._part, self._kinds = part, cycle(kinds)

    @contextmanager
    def laid(self) -> Iterator[None]:
        before = {name: attrgetter(self._part)(one) for name, one in OPERATIONS.items()}
        for name, one in OPERATIONS.items():
            if before[name] is not None:
                self._put(one, self._snare(name, before[name]))
        try:
            yield
        finally:
            for name, one in OPERATIONS.items():
                self._put(one, before[name])

    def during(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """A function with the trap open."""

        def opened(*given: Any, **named: Any) -> Any:
            self._is_open, self._has_sprung = True, False
            try:
                return function(*given, **named)
            finally:
                self._is_open = False
                self.sprung += self._has_sprung

        return opened

    def _put(self, operation: Operation, function: Any) -> None:
        part, _, name = self._part.rpartition(".")
        owner = attrgetter(part)(operation) if part else operation
        object.__setattr__(owner, name, function)  # the catalogue is frozen

    def _snare(self, name: str, function: Any) -> Any:
        kind = next(self._kinds)

        def snare(*given: Any, **named: Any) -> Any:
            if not self._is_open:
                return function(*given, **named)
            self._has_sprung = True
            raise kind(f"no {name}")

        return snare


@pytest.fixture
def answers(monkeypatch, capsys):
    """Check the examples in one run; the exit code, and the JSON lines."""
    monkeypatch.setattr(
        headless, "Oracle", lambda **_: Oracle(child=InProcess(TORCH, child.answer))
    )
    monkeypatch.setattr(
        headless,
        "SymbolicOracle",
        lambda **_: SymbolicOracle(child=InProcess(SYMPY, symbolic_child.answer)),
    )
    monkeypatch.setattr(headless, "FEW", len(EXAMPLES))  # so that it is done in this process

    def run(*oracles: str, most: int = len(EXAMPLES)) -> tuple[int, list[dict[str, Any]]]:
        targets = [Source(name, text) for name, text in islice(EXAMPLES.items(), most)]
        torch, symbolic = "torch" in oracles, "symbolic" in oracles
        code = headless.check(targets, json=True, torch=torch, symbolic=symbolic)
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert [one["scenario"] for one in lines] == [target.name for target in targets]
        return code, lines

    return run


def complaints(line: dict[str, Any]) -> set[str]:
    told = [one for one in line["errors"] if not one["message"].startswith(("skipped", "not run"))]
    assert all(one["name"] is None and one["message"] for one in told)
    return {one["oracle"] for one in told}


def skips(line: dict[str, Any], reason: str) -> set[str]:
    return {
        one["oracle"] for one in line["errors"] if one["message"].startswith(f"skipped: {reason}")
    }


@pytest.mark.parametrize(
    ("oracle", "part", "module", "entrance"),
    [
        ("torch", "twins.torch", child, "answer"),
        ("finite_difference", "forward", checking, "finite_differences"),
        ("symbolic", "twins.symbolic", symbolic_child, "answer"),
    ],
)
def test_every_operation_may_raise_in_every_oracle(
    oracle, part, module, entrance, answers, monkeypatch
):
    trap = Trap(part, RAISED)
    monkeypatch.setattr(module, entrance, trap.during(getattr(module, entrance)))
    with trap.laid():
        code, lines = answers(oracle)
    assert code == 1
    off = [one for one in lines if not one["ok"]]
    for line in off:
        assert complaints(line) == {oracle}
        assert all(row[oracle] is None for row in line["gradients"].values())
        assert all(row["ok"] for row in line["gradients"].values()), "by the other oracles"
    # Sympy's own words of what it cannot do are no fault.
    words = "sympy gives up", TOO_DEEP
    given_up = [one for one in lines if any(oracle in skips(one, reason) for reason in words)]
    assert len(off) + len(given_up) == trap.sprung > 0
    assert not any(complaints(one) for one in lines if one["ok"])


def test_a_step_of_finite_differences_may_leave_the_domain_of_every_operation(answers, monkeypatch):
    trap = Trap("forward", LEAVING)
    monkeypatch.setattr(checking, "finite_differences", trap.during(checking.finite_differences))
    with trap.laid():
        code, lines = answers()
    assert code == 0
    reason = "a step of finite differences leaves the domain of `"
    assert sum("finite_difference" in skips(line, reason) for line in lines) == trap.sprung > 0


@pytest.mark.parametrize(
    ("reader", "oracle"),
    [
        ("agreement", "torch"),
        ("symbolic_gradients", "symbolic"),
        ("finite_differences", "finite_difference"),
        ("autopsy", "autopsy"),
        ("record", "engine"),
    ],
)
def test_what_reads_a_trace_may_raise(reader, oracle, answers, monkeypatch):
    kinds = cycle(RAISED)

    def broken(*_: Any, **__: Any) -> Any:
        raise next(kinds)("broken")

    monkeypatch.setattr(checking, reader, broken)
    code, lines = answers("torch", "symbolic", most=len(RAISED))
    assert code == 1
    assert all(complaints(line) == {oracle} for line in lines)
