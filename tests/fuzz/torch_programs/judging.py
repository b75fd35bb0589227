"""Whether we made of a program what Python and torch made of it.

Numbers are compared in two steps. `check` holds every operation of ours against torch's twin on
the same operands, by the project's own tolerances; so here it is enough that the *program* was
understood: what the twins compute must be what Python computed. Torch computes both, and its own
kernels differ by a few units in the last place at most, whatever the program does to them after.
"""

from __future__ import annotations

import re
import traceback
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from tests.fuzz.torch_programs.running import Ours, Tensor, Theirs, run_by_torch, run_here

from backprop_engine.source import ScenarioError
from backprop_engine.trace import Trace
from backprop_tui.headless.check import Bad, Checked, GradientRow

_CLOSE = {"float64": 1e-9, "float32": 1e-3}
"""How far the two ends of a whole program may be apart, beside its largest number."""


class Outcome(StrEnum):
    """What came of a program."""

    AGREES = "agrees"
    TRAP = "agrees on a nan, which finite differences tell of"
    REFUSED = "refused by us"
    RAISES = "refused by both"
    WRONG = "wrong value"
    ACCEPTED = "torch raises, we do not"
    CLAIMED = "an error in torch's words that torch does not raise"
    TRACEBACK = "traceback"
    ALARM = "false alarm"
    UNEXPLAINED = "refused without a fix"


FINDINGS = frozenset(Outcome) - {Outcome.AGREES, Outcome.TRAP, Outcome.REFUSED, Outcome.RAISES}

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
    theirs, ours = run_by_torch(text), run_here(text)
    if ours.raised is not None:
        return Verdict(Outcome.TRACEBACK, _where(ours.raised), "".join(_lines(ours.raised)))
    if isinstance(ours.checked, Bad):
        return _of_refusal(theirs, ours.checked.error)
    if theirs.error is not None:
        told = f"{type(theirs.error).__name__}: {theirs.error}"
        return Verdict(Outcome.ACCEPTED, _kind(told), told)
    assert ours.checked is not None
    differing = _differing(theirs, ours.trace)
    if differing:
        kind = "where something is changed in place" if _IN_PLACE.search(text) else ""
        return Verdict(Outcome.WRONG, kind, differing)
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


def _differing(theirs: Theirs, trace: Trace) -> str:
    """The first name of the program that means something else here; empty if there is none."""
    named = {**trace.graph.inputs, **trace.assigned}
    for name, expected in theirs.names.items():
        node = named.get(name)
        if node is None:
            continue
        ours = np.asarray(trace.graph.value[node])
        if not isinstance(expected, Tensor):
            if not _same(ours, np.asarray(expected)):
                return f"{name} is {expected!r} in Python and {ours!r} here"
        elif ours.dtype != expected.value.dtype or not _same(ours, expected.value):
            return f"{name} is\n{expected.value!r} in torch and\n{ours!r} here"
        elif expected.requires_grad != bool(trace.graph.requires_grad[node]):
            return f"{name}.requires_grad is {expected.requires_grad} in torch and not here"
        elif told := _differing_grad(trace, node, expected.grad):
            return f"{name}{told}"
    return ""


def _differing_grad(trace: Trace, node: int, theirs: np.ndarray | None) -> str:
    grad = (trace.passes[-1].grads or {}).get(node)
    if grad is None and theirs is None:
        return ""
    if grad is None or theirs is None or not _same(np.asarray(grad), theirs):
        return f".grad is\n{theirs!r} in torch and\n{grad!r} here"
    return ""


def _same(ours: np.ndarray, theirs: np.ndarray) -> bool:
    """Shape, and numbers up to what rounding does to a program."""
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
        scale = np.max(np.abs(theirs), initial=0.0, where=finite)
        apart = np.abs(np.subtract(ours, theirs, dtype=np.float64))[finite]
    return bool((apart <= _CLOSE.get(str(theirs.dtype), 0.0) * float(scale)).all())


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
    ours = [one for one in frames if "backprop_" in one.filename] or frames
    return f"{type(error).__name__} in {ours[-1].name} ({_kind(str(error))})"


def _lines(error: BaseException) -> list[str]:
    return traceback.format_exception(error)[-8:]
