"""What a recording says of the run: gradients, the first nan, what ended it, what torch sent."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePath
from time import monotonic
from typing import Any, Final

import numpy as np

from backprop_engine.backward import DerivativeError
from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.summary import Summary
from backprop_engine.basics.values import Known, shape_of
from backprop_engine.reading.autopsy.births import Birth, Place
from backprop_engine.reading.autopsy.report import Autopsy, birth_node
from backprop_engine.recording.layout import FORWARD_FLAGS, ValueKind
from backprop_engine.recording.recording import Pass, Recording, Site
from backprop_engine.trace import Missing, PassKind, StepKind, Trace
from backprop_engine.trace.abilities import Recomputes

_SECONDS: Final = 60.0
_AGREE: Final = 1e-3
"""Of the largest element: a wrong rule is off by far more, and float32 by far less."""
_AGREE_HALVES: Final = {"float16": 1e-2, "bfloat16": 6e-2}
_UNIT: Final = 2.0**-23
"""Of float32, in which most programs compute."""
_ZERO: Final = 1e-5
"""Of the largest upstream gradient: what should be 0 is a sum of what rounds."""


@dataclass(frozen=True, slots=True)
class Verified:
    """How many of torch's contributions are what our rules send for the recorded operands."""

    agree: int = 0
    differ: int = 0
    unknown: int = 0


@dataclass(frozen=True, slots=True)
class Spot:
    """A part of the program: a file, a line and what stands there."""

    file: str
    line: int
    text: str


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that torch has sent and our rules do not, or a forward its backward."""

    message: str
    spot: Spot | None

    @property
    def told(self) -> str:
        """The message, after the file's name and the line."""
        if self.spot is None:
            return self.message
        return f"{PurePath(self.spot.file).name}:{self.spot.line}: {self.message}"


@dataclass(frozen=True, slots=True)
class Culprit:
    """After torch has complained of a change in place."""

    grad_fn: str
    saved: str
    """What it had saved for its derivative: `result`, `self`."""
    needed: Spot | None
    """The call that needs the value as it was."""
    changed: Spot | None
    """The call that changed it."""


def spot(recording: Recording, stack: int) -> Spot | None:
    """The innermost place of a stack."""
    site = recording.site(stack)
    return None if site is None else Spot(site.file, site.line, _text(recording, site))


def _text(recording: Recording, site: Site) -> str:
    lines = recording.sources.get(site.file, "").splitlines()
    if not 1 <= site.line <= len(lines):
        return ""
    line = lines[site.line - 1]
    if site.end_line == site.line and site.column is not None and site.end_column is not None:
        return line.encode()[site.column : site.end_column].decode(errors="ignore").strip()
    return line.strip()


def verified(trace: Trace, seconds: float = _SECONDS) -> tuple[Verified, list[Difference]]:
    """Torch's contributions compared with our rules, and where the two differ."""
    agree = differ = unknown = 0
    places = []
    end = monotonic() + seconds
    together = _together(trace)
    for index in range(len(trace)):
        step = trace.step(index)
        if step.kind is not StepKind.CONTRIBUTION or step.node is None or step.position is None:
            continue
        steps = together[trace.pass_index(index), *trace.edge(index)[:2]]
        is_same = None if monotonic() > end else _is_same(trace, index, steps)
        agree, differ = agree + (is_same is True), differ + (is_same is False)
        unknown += is_same is None
        if is_same is False and step.operand is not None:
            label = f"{trace.label(step.node)} to {trace.label(step.operand)}"
            message = f"step {index}: {trace.nodes.grad_fn(step.node)} sends from {label}"
            place = trace.nodes.place(step.node)
            where = Spot(place.source.name, place.position.line, place.text) if place else None
            places.append(Difference(message, where))
    return Verified(agree, differ, unknown), places


def _together(trace: Trace) -> Mapping[tuple[int, int, int], Sequence[int]]:
    """The contributions of a node to one operand in a pass: several, where a call is more than one
    of torch's nodes, or where the operand stands in it more than once.
    """
    steps: dict[tuple[int, int, int], list[int]] = defaultdict(list)
    for index in range(len(trace)):
        step = trace.step(index)
        if step.kind is StepKind.CONTRIBUTION and step.node is not None:
            steps[trace.pass_index(index), step.node, step.operand or 0].append(index)
    return steps


def _is_same(trace: Trace, index: int, together: Sequence[int]) -> bool | None:
    """Whether a contribution, or all to the same operand, is what our rule sends; None where that
    cannot be told.
    """
    node, operand, position = trace.edge(index)
    upstream, sent = trace.gradient(node, index), trace.contribution(index)
    if upstream is None or isinstance(upstream, Summary) or isinstance(sent, Summary):
        return None
    recomputes = trace.can(Recomputes, node)
    if isinstance(recomputes, Missing) or shape_of(upstream) != shape_of(trace.nodes.value[node]):
        return None
    dtypes = {trace.nodes.dtype_of(one) for one in (node, operand)}
    least = max(_AGREE_HALVES.get(dtype, _AGREE) for dtype in dtypes)

    def agrees(positions: Sequence[int], all_sent: Sequence[Known | None]) -> bool | None:
        try:
            with np.errstate(all="ignore"):
                ours = [recomputes.send(node, at, upstream) for at in positions]
        except (ArithmeticError, ValueError, DerivativeError):
            return None
        theirs = [each for each in all_sent if each is not None and not isinstance(each, Summary)]
        if len(theirs) < len(all_sent) or {*map(shape_of, ours)} != {*map(shape_of, theirs)}:
            return None
        our_sum, their_sum = (
            sum(map(np.asarray, side[1:]), np.asarray(side[0])) for side in (ours, theirs)
        )
        return _is_near(our_sum, their_sum, np.asarray(upstream), least)

    positions = [at for at, each in enumerate(trace.nodes.operands[node]) if each == operand]
    is_same = agrees([position], [sent])
    if is_same is not True and max(len(positions), len(together)) > 1:
        return agrees(positions, [trace.contribution(step) for step in together])
    return is_same


def _is_near(
    ours: np.ndarray, theirs: np.ndarray, upstream: np.ndarray, agree: float
) -> bool | None:
    if not (np.isfinite(ours).all() and np.isfinite(theirs).all()):
        return None  # inf and nan follow conventions of their own
    wide = [np.abs(array.astype(np.float64)) for array in (theirs, ours, upstream)]
    largest = max(float(array.max(initial=0.0)) for array in wide[:2])
    off = float(np.abs(ours.astype(np.float64) - theirs).max(initial=0.0))
    upstream_size = float(wide[2].max(initial=0.0, where=np.isfinite(wide[2])))
    if off <= agree * largest + _ZERO * upstream_size:
        return True
    # A sum of many that cancel one another, as of a bias before a batch norm, is what rounds.
    terms = upstream.size / max(ours.size, 1)
    return None if off <= _UNIT * terms * upstream_size else False


def culprit(recording: Recording) -> Culprit | None:
    """Which call changed what another needed; None where torch has not complained."""
    for pass_ in recording.passes:
        if pass_.culprit is not None:
            node, saved = pass_.culprit
            needed, changed = _calls(recording, pass_, node)
            stacks = recording.calls.columns["stack"]
            spots = [
                None if call is None else spot(recording, int(stacks[call]))
                for call in (needed, changed)
            ]
            return Culprit(pass_.names[int(pass_.kind[node])], saved, *spots)
    return None


def _calls(recording: Recording, pass_: Pass, node: int) -> tuple[int | None, int | None]:
    calls, sequence = recording.calls, int(pass_.sequence[node])
    columns = calls.columns
    owners = np.flatnonzero((columns["before"] <= sequence) & (sequence < columns["after"]))
    if not len(owners):
        return None, None
    needed = int(owners[0])
    there = {_memory(recording, value) for value in calls.operands(needed)}
    there |= {_memory(recording, value) for value, _, _ in calls.outputs(needed)}
    for call in range(needed + 1, len(calls)):
        operands = calls.operands(call)
        is_change = columns["flags"][call] & FORWARD_FLAGS["in_place"]
        if is_change and operands and _memory(recording, operands[0]) in there:
            return needed, call
    return needed, None


def _memory(recording: Recording, value: int) -> int:
    """The value whose memory a value is a view of."""
    values = recording.values
    for _ in range(64):
        row = value - values.first
        if values.kind[row] != ValueKind.ALIAS:
            break
        value = int(values.at[row])
    return value


def error_lines(recording: Recording) -> Iterator[str]:
    """What ended the program, where, and whose change in place it was."""
    error = recording.error
    if error is None:
        return
    yield f"{_at(spot(recording, error.stack))}the program ended with {error.type}: {error.message}"
    found = culprit(recording)
    if found is not None:
        yield f"{_at(found.needed)}{found.grad_fn} needs its {found.saved} as it was then"
        if found.changed is not None:
            yield f"{_at(found.changed)}changed it in place; write it without, or after backward()"


def _at(where: Spot | None) -> str:
    if where is None:
        return ""
    return f"{PurePath(where.file).name}:{where.line}: `{where.text}` "


def last_gradients(recording: Recording) -> dict[str, Known]:
    """`.grad` of every named leaf, after the last pass that reached it."""
    found: dict[str, Known] = {}
    for pass_ in recording.passes:
        for node, _, grad in pass_.leaves.tolist():
            name = pass_.leaf_names.get(node, "")
            if name and grad >= 0:
                found[name] = recording.values.known(grad)
    return found


def first_nonfinite(trace: Trace, found: Autopsy | None) -> dict[str, Any] | None:
    """Where the first nan or inf that does harm was born, for JSON."""
    if found is None:
        return None
    birth = found.first.birth
    node = birth_node(trace, birth)
    place = trace.nodes.place(node)
    groups = trace.nodes.groups(node)
    is_forward = birth.place in (Place.FORWARD, Place.GIVEN)
    return {
        "phase": "forward" if is_forward else "backward",
        "pass": _pass_number(trace, birth),
        "kind": found.first.kind.replace("−", "-"),
        "operation": found.first.operation,
        "grad_fn": trace.nodes.grad_fn(node),
        "file": None if place is None else place.source.name,
        "line": None if place is None else place.position.line,
        "text": None if place is None else place.text,
        "module": next((group.name for group in groups if group.kind == "module"), None),
    }


def _pass_number(trace: Trace, birth: Birth) -> int:
    """The backward pass, from 1, in which it happened, or to which the forward step led."""
    visits = trace.visits(birth.node)
    step = birth.step if birth.step is not None else (visits[0] if visits else 0)
    at = trace.pass_index(step)
    before = sum(pass_.kind is PassKind.BACKWARD for pass_ in trace.passes[:at])
    return before + 1
