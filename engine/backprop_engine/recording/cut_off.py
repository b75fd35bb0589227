"""Where parameters whose `.grad` is None were cut off from what backward() was called on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePath

from backprop_engine.recording.findings import Spot, spot
from backprop_engine.recording.layout import FORWARD_FLAGS
from backprop_engine.recording.recording import Pass, Recording, Update

_UNUSED = "nothing was computed with it; numbers taken out, as by item(), take no gradient along"
_ASIDE = "what was computed with it does not lead to what backward() was called on"
_ENDED = "the backward pass was ended by an error"


def cut_off_lines(recording: Recording) -> Iterator[tuple[str, str]]:
    """Of the last pass each parameter without a `.grad`, and why it has none."""
    if not recording.passes or not recording.passes[-1].missing:
        return
    last = recording.passes[-1]
    cuts = {} if last.error else _cuts(recording, last)
    for name in last.missing:
        yield name, _ENDED if last.error else cuts.get(name, _UNUSED)


def _cuts(recording: Recording, pass_: Pass) -> dict[str, str]:
    """By name, of the parameters that something was computed with since the last step."""
    bits = {name: 1 << at for at, name in enumerate(pass_.missing)}
    sweep = _Sweep(recording, bits, {int(root) for root in pass_.roots[:, 2]})
    before = recording.events[: recording.events.index(pass_)]
    since = max((event.call for event in before if isinstance(event, Update)), default=0)
    first, stop = (max(call - recording.first_call, 0) for call in (since, pass_.call))
    for call in range(first, min(stop, len(recording.calls))):
        sweep.look_at(call)
    told: dict[str, str] = {}
    for name, bit in bits.items():
        calls = [*sweep.leading, *reversed(sweep.cutting)]
        at = next((call for call in calls if sweep.cutting[call] & bit), None)
        if at is not None:
            told[name] = _told(recording, at)
        elif sweep.used & bit:
            told[name] = _ASIDE
    return told


class _Sweep:
    """Over all calls before a pass: of which parameters each value is made, a bit for each."""

    def __init__(self, recording: Recording, bits: dict[str, int], roots: set[int]) -> None:
        self._recording, self._roots = recording, roots
        self._made_of = {v: bits[name] for v, name in recording.names.items() if name in bits}
        self._behind: dict[int, set[int]] = {}
        """By value the calls that have cut off what it was computed from."""
        self.cutting: dict[int, int] = {}
        """By call whom it has cut off."""
        self.leading: dict[int, None] = {}
        """Those of them from which a way leads to where the pass began."""
        self.used = 0

    def look_at(self, call: int) -> None:
        """The next call."""
        columns, of, cuts = self._recording.calls.columns, 0, set[int]()
        for value in self._recording.calls.operands(call):
            of |= self._made_of.get(value, 0)
            cuts |= self._behind.get(value, set())
        self.used |= of
        has_graph = columns["before"][call] < columns["after"][call]
        if of and not has_graph:
            self.cutting[call] = of
            cuts.add(call)
        for value, _, _ in self._recording.calls.outputs(call):
            if has_graph and of:
                self._made_of[value] = self._made_of.get(value, 0) | of
            if cuts:
                self._behind[value] = self._behind.get(value, set()) | cuts
            if value in self._roots:
                self.leading |= dict.fromkeys(sorted(cuts))


def _told(recording: Recording, call: int) -> str:
    columns = recording.calls.columns
    where: Spot | None = spot(recording, int(columns["stack"][call]))
    at = "" if where is None else f" at {PurePath(where.file).name}:{where.line}: `{where.text}`"
    is_off = not columns["flags"][call] & FORWARD_FLAGS["grad"]
    return f"cut off{at}{', where gradients are switched off' if is_off else ''}"
