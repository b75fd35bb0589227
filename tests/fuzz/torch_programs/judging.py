"""Whether we made of a program what Python and torch made of it.

Numbers are compared in two steps. `check` holds every operation of ours against torch's twin on
the same operands, by the project's own tolerances; so here it is enough that the *program* was
understood: what the twins compute must be what Python computed. Torch computes both, and its own
kernels differ by a few units in the last place at most, whatever the program does to them after.
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from tests.fuzz.torch_programs.running import Ours, Tensor, Theirs, run_by_torch, run_here

from backprop_engine.basics.source import ScenarioError
from backprop_engine.run.tape import graph_of
from backprop_tui.headless.checked import Bad, Checked, GradientRow

_CLOSE = {"float64": 1e-13, "float32": 1e-5}
"""How far two runs of torch may be apart."""
_ADRIFT = {"float64": 1e-7, "float32": 0.1}
"""How far we may be from torch at the end of a program, if every step of it agrees."""


class Outcome(StrEnum):
    """What came of a program."""

    AGREES = "agrees"
    TIE = "differs where torch leaves it open, and that is told"
    TRAP = "agrees on a nan, which finite differences tell of"
    REFUSED = "refused by us"
    RAISES = "refused by both"
    WRONG = "wrong value"
    ACCEPTED = "torch raises, we do not"
    CLAIMED = "an error in torch's words that torch does not raise"
    TRACEBACK = "traceback"
    ALARM = "false alarm"
    UNEXPLAINED = "refused without a fix"


FINDINGS = frozenset(Outcome) - {
    Outcome.AGREES,
    Outcome.TRAP,
    Outcome.TIE,
    Outcome.REFUSED,
    Outcome.RAISES,
}

_IN_PLACE = re.compile(r"[-+*/]=|_\(|\] *=")
"""A statement that may change a tensor."""
_TORCHS_WORDS = (
    "a leaf Variable that requires grad",
    "a view of a leaf Variable",
    "modified by an inplace operation",
    "backward through the graph a second time",
    "does not require grad and does not have a grad_fn",
    "grad can be implicitly created only for scalar outputs",
    "can't retain_grad on Tensor",
    "you can only change requires_grad flags of leaf",
    "output with shape",
    "result type",
    "Integers to negative integer powers",
    "ZeroDivisionError",
    "doesn't match the broadcast shape",
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """An outcome; `kind` groups what is alike, `told` is for people."""

    outcome: Outcome
    kind: str = ""
    told: str = ""

    @property
    def is_finding(self) -> bool:
        """Whether something is wrong with us."""
        return self.outcome in FINDINGS


def judge(text: str) -> Verdict:
    """Run a program by both, and compare."""
    return compare(run_by_torch(text), run_here(text), text)


def compare(theirs: Theirs, ours: Ours, text: str) -> Verdict:
    """What came of a program on both sides."""
    if ours.raised is not None:
        return Verdict(Outcome.TRACEBACK, _where(ours.raised), "".join(_lines(ours.raised)))
    if isinstance(ours.checked, Bad):
        return _of_refusal(theirs, ours.checked.error)
    if theirs.error is not None:
        told = f"{type(theirs.error).__name__}: {theirs.error}"
        return Verdict(Outcome.ACCEPTED, _kind(told), told)
    assert ours.checked is not None
    if ours.oracle.trace is None:
        told = ours.checked.complaints[0].message
        return Verdict(Outcome.TRACEBACK, _kind(told), told)
    kind, told = _differing(theirs, ours)
    # `check` holds whole numbers against torch's exactly, but for indices of equal elements.
    if kind and (ours.checked.departures or (kind == "index" and ours.checked.ok)):
        return Verdict(Outcome.TIE, "ties", told)
    if kind:
        changes = ", where something is changed in place" if _IN_PLACE.search(text) else ""
        return Verdict(Outcome.WRONG, kind + changes, told)
    return _of_check(ours, ours.checked)


def _of_refusal(theirs: Theirs, error: ScenarioError) -> Verdict:
    problem = error.problems[0]
    told = error.render()
    if theirs.error is not None:
        return Verdict(Outcome.RAISES, _kind(problem.message), f"{told}\n{theirs.error}")
    if any(words in problem.message for words in _TORCHS_WORDS):
        return Verdict(Outcome.CLAIMED, _kind(problem.message), told)
    if not problem.fix and not problem.expected:
        return Verdict(Outcome.UNEXPLAINED, _kind(problem.message), told)
    return Verdict(Outcome.REFUSED, _kind(problem.message), told)


def _of_check(ours: Ours, checked: Checked) -> Verdict:
    for error in ours.oracle.failed:
        told = f"{type(error).__name__}: {error}"
        return Verdict(Outcome.ALARM, _kind(f"torch oracle: {told}"), told)
    if not checked.ok and all(map(_is_trap, checked.gradients)):
        return Verdict(Outcome.TRAP)
    if not checked.ok:
        one = checked.complaints[0]
        told = "\n".join(f"{c.oracle} {c.name}: {c.message}" for c in checked.complaints)
        return Verdict(Outcome.ALARM, f"{one.oracle}: {_kind(one.message)}", told)
    return Verdict(Outcome.AGREES)


def _differing(theirs: Theirs, ours: Ours) -> tuple[str, str]:
    """What differs of the first name that means something else here, and how; or nothing."""
    named = {**graph_of(ours.trace).inputs, **ours.trace.assigned}
    for name, expected in theirs.names.items():
        node = named.get(name)
        if node is None:
            continue
        pairs = _pairs(node, expected, ours)
        for what, (here, again, in_torch) in pairs.items():
            if not _same(here, in_torch, _ADRIFT) or not _same(again, in_torch, _CLOSE):
                told = f"{what} of {name}: torch\n{in_torch!r}, we\n{here!r}"
                is_index = what == "value" and np.asarray(here).dtype.kind == "i"
                return "index" if is_index else what, f"{told}, and torch on our graph\n{again!r}"
    return "", ""


def _pairs(
    node: int, expected: Tensor | float | bool, ours: Ours
) -> dict[str, tuple[Any, Any, Any]]:
    """What is to be compared of one name: by us, by torch on our graph, and by Python."""
    graph, last = graph_of(ours.trace), ours.trace.passes[-1]
    value, again = graph.value[node], None
    if ours.oracle.report is not None:
        again = ours.oracle.report.values[node]
    if not isinstance(expected, Tensor):
        # A number that was taken out of a tensor has the tensor's digits.
        digits = np.dtype(graph.dtype).type if isinstance(expected, float) else type(expected)
        return {"number": (value, value, digits(expected))}
    kind, dtype = graph.kind[node], np.asarray(value).dtype
    requires_grad = kind.requires_grad_in_torch
    node = graph.same.get(node, node)
    grad, grad_again = (last.grads or {}).get(node), None
    if ours.oracle.report is not None:
        grad_again = ours.oracle.report.grads[last.index].get(node)
    pairs: dict[str, tuple[Any, Any, Any]] = {
        "dtype": (dtype, dtype, expected.value.dtype),
        "value": (value, value if again is None else again, expected.value),
        "requires_grad": (requires_grad, requires_grad, expected.requires_grad),
    }
    if expected.is_first:
        pairs["grad"] = (grad, grad if grad_again is None else grad_again, expected.grad)
    return pairs


def _same(one: Any, other: Any, tolerance: Mapping[str, float]) -> bool:
    """Equal, and of arrays: in shape, and in numbers beside the largest of them, or beside 1."""
    if one is None or other is None:
        return one is other
    if isinstance(one, np.dtype):
        return bool(one == other)
    ours, theirs = np.asarray(one), np.asarray(other)
    if ours.shape != theirs.shape:
        return False
    if ours.dtype.kind != "f":
        return bool(np.array_equal(ours, theirs))
    with np.errstate(all="ignore"):
        finite = np.isfinite(theirs)
        if not np.array_equal(finite, np.isfinite(ours)):
            return False
        if not np.array_equal(ours[~finite], theirs[~finite], equal_nan=True):
            return False
        scale = float(np.max(np.abs(theirs), initial=1.0, where=finite))
        apart = np.abs(np.subtract(ours, theirs, dtype=np.float64))[finite]
    return bool((apart <= tolerance.get(str(theirs.dtype), 0.0) * scale).all())


def _is_trap(row: GradientRow) -> bool:
    """Whether torch has a nan that the function has not: the one thing `check` rightly tells of a
    program that both understand alike.
    """
    return row.ok or bool(row.engine is not None and not np.isfinite(row.engine).all())


# Grouping what is alike


def _kind(message: str) -> str:
    """A message without its names and numbers."""
    message = re.sub(r"`[^`]*`", "`…`", message.split("\n")[0])
    return re.sub(r"-?\d[\d.e+-]*|inf|nan", "N", message)[:110]


def _where(error: BaseException) -> str:
    """The exception, and the last place of ours that it went through."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "backprop_" in frame.filename] or frames
    return f"{type(error).__name__} in {ours[-1].name} ({_kind(str(error))})"


def _lines(error: BaseException) -> list[str]:
    return traceback.format_exception(error)[-8:]
