"""A recording as a trace: its calls are forward steps, what autograd sent are contributions."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from pathlib import PurePath
from textwrap import shorten
from typing import Final

import numpy as np

from backprop_engine.basics.source import Place, Source, Span
from backprop_engine.basics.values import Dtype
from backprop_engine.recording.columns import (
    Grads,
    KnownColumn,
    Lookup,
    NodeValues,
    RecordedNodes,
    Row,
    unknown,
)
from backprop_engine.recording.findings import error_lines
from backprop_engine.recording.graph import Key, RecordedGraph
from backprop_engine.recording.layout import ValueKind
from backprop_engine.recording.producer import RecordingProducer
from backprop_engine.recording.recording import Event, Pass, Recording, Site, Update
from backprop_engine.trace import NO_NODE, Group, GroupKind, Heading, PassKind, Trace
from backprop_engine.trace import Pass as TracePass

_NOWHERE: Final = -1
_NOTED: Final = 160
"""Characters of an error that the notice repeats."""
_LOSSES: Final = 30
"""How many are told in the notes."""
_SUMMED: Final = 64
"""Contributions to one node up to which running sums are put together when they are looked at."""
_LEAF_NAME: Final = "tensor"
"""Of a tensor that no variable is known of."""


def trace_of(recording: Recording) -> Trace:
    """The trace of a recording. Raises RecordingError where it contradicts itself."""
    return _Builder(recording).build()


class _Builder:
    """A trace while it is put together: first by keys of nodes, then by their numbers."""

    def __init__(self, recording: Recording) -> None:
        self.recording, self.lookup = recording, Lookup(recording.values)
        self.graph = RecordedGraph(recording)
        self.places = _Places(recording)
        self.senders: list[Key | None] = []
        self.receivers: list[Key | None] = []
        self.positions: list[int] = []
        self.contributions: list[Row] = []
        self.totals: list[Row] = []
        self.passes: list[
            tuple[PassKind, Event | None, int, Key | None, dict[Key, int] | None]
        ] = []
        """Kind, event, first step, output and `.grad` afterwards."""
        self.iterations: dict[Key, int] = {}
        self.grads: dict[Key, int] = {}

    def build(self) -> Trace:
        """All of it."""
        at, iteration = 0, 1
        first, kept = self.recording.first_call, self.graph.kept
        for event, following in self._events():
            iteration = max(iteration, following)
            stop = bisect_right(kept, event.call - first - 1)
            self._forward(kept[at:stop], iteration)
            at = max(at, stop)
            if isinstance(event, Pass):
                self._backward(event)
            else:
                self._add_step(None, None, NO_NODE, (), ())
                is_update = isinstance(event, Update)
                self.grads = self.grads if is_update else {}
                kind = PassKind.UPDATE if is_update else PassKind.ZERO_GRAD
                grads = None if is_update else dict(self.grads)
                self.passes.append((kind, event, len(self.senders) - 1, None, grads))
        self._forward(kept[at:], iteration + 1 if at and at < len(kept) else iteration)
        return self._numbered()

    def _events(self) -> Iterator[tuple[Event, int]]:
        """Each event with the iteration, from 1, that it belongs to."""
        events, following = self.recording.events, []
        iteration = 1
        for event in reversed(events):
            if isinstance(event, Pass):
                iteration = event.iteration + 1
            elif isinstance(event, Update):
                iteration = event.iteration
            following.append(iteration)
        return zip(events, reversed(following), strict=True)

    def _forward(self, calls: list[int], iteration: int) -> None:
        start = len(self.senders)
        for call in calls:
            for value in self.recording.calls.operands(call):
                self.iterations.setdefault(value, iteration)
            for value, _, _ in self.recording.calls.outputs(call):
                self.iterations.setdefault(value, iteration)
                made = self.graph.made[value]
                if made.call == call and made.operands:
                    self._add_step(value, None, NO_NODE, (), ())
        if len(self.senders) > start:
            self.passes.append((PassKind.FORWARD, None, start, None, None))

    def _add_step(
        self, sender: Key | None, receiver: Key | None, position: int, sent: Row, total: Row
    ) -> None:
        self.senders.append(sender)
        self.receivers.append(receiver)
        self.positions.append(position)
        self.contributions.append(sent)
        self.totals.append(total)

    # A backward pass

    def _backward(self, pass_: Pass) -> None:
        start = len(self.senders)
        receipts: dict[Key, list[int]] = {}
        taken: set[tuple[Key, int]] = set()
        output = None
        finals = {
            self.graph.at(pass_, node, out): value
            for node, out, value in pass_.totals.tolist()
            if self.graph.is_exit(pass_, node, out) or self.graph.call_of(pass_, node) == _NOWHERE
        }
        self._link_strangers(pass_)
        for node, out, _, seed in pass_.roots.tolist():
            root = self.graph.at(pass_, node, out)
            output = root if output is None else output
            seed = seed if seed != _NOWHERE else finals.get(root, _NOWHERE)
            if seed != _NOWHERE:
                self._receive(root, root, NO_NODE, seed, receipts)
        chosen: dict[int, Key] = {}
        for node, position, target, out, value in pass_.sends.tolist():
            call = self.graph.call_of(pass_, node)
            if call != _NOWHERE and call == self.graph.call_of(pass_, target):
                continue  # inside of one call
            sender = chosen.get(call) if call != _NOWHERE else None
            if sender is None:
                sender = self._sender(pass_, node, call, receipts)
                chosen[call] = sender
            if sender not in receipts:  # what reached it came from where nobody has looked
                self._receive(sender, sender, NO_NODE, finals.get(sender, value), receipts)
            receiver = self.graph.at(pass_, target, out)
            at = self._position(sender, receiver, position, taken)
            self._receive(sender, receiver, at, value, receipts)
        for key, steps in receipts.items():
            self._add_up(key, steps, finals)
        for node, value, grad in pass_.leaves.tolist():
            if grad != _NOWHERE:
                self.grads[value if value >= 0 else self.graph.at(pass_, node, 0)] = grad
        self.passes.append((PassKind.BACKWARD, pass_, start, output, dict(self.grads)))

    def _receive(
        self, sender: Key, receiver: Key, position: int, value: int, receipts: dict[Key, list[int]]
    ) -> None:
        receipts.setdefault(receiver, []).append(len(self.senders))
        made = self.graph.made[receiver]
        if made.value < 0 and made.like < 0:
            made.like = value
        self._add_step(sender, receiver, position, (value,), (value,))

    def _sender(self, pass_: Pass, node: int, call: int, receipts: dict[Key, list[int]]) -> Key:
        """Which of the nodes of a call sends: the first that has received anything."""
        if call == _NOWHERE:
            return self.graph.at(pass_, node, 0)
        outputs = [value for value, _, _ in self.recording.calls.outputs(call)]
        for value in outputs:
            if value in receipts:
                return value
        changed = self.graph.changed.get(call, [])  # an output more, changed through a view
        return next((value for value in changed if value in receipts), outputs[0])

    def _position(
        self, sender: Key, receiver: Key, wanted: int, taken: set[tuple[Key, int]]
    ) -> int:
        """Which operand of `sender` `receiver` is; where it is none, it is put behind them."""
        operands = self.graph.made[sender].operands
        places = [at for at, key in enumerate(operands) if key == receiver]
        free = [at for at in places if (sender, at) not in taken]
        if free:
            at = wanted if wanted in free else free[0]
        elif places:
            at = places[0]
        else:
            at = len(operands)
            operands.append(receiver)
        taken.add((sender, at))
        return at

    def _link_strangers(self, pass_: Pass) -> None:
        """The operands of what no call has made are where its gradients go."""
        for node in range(len(pass_.kind)):
            edges = pass_.edges[pass_.edge_starts[node] : pass_.edge_starts[node + 1]].tolist()
            if not edges or self.graph.call_of(pass_, node) != _NOWHERE:
                continue
            made = self.graph.made[self.graph.at(pass_, node, 0)]
            if not made.operands:
                made.operands = [
                    self.graph.at(pass_, target, out) for target, out in edges if target >= 0
                ]

    def _add_up(self, key: Key, steps: list[int], finals: dict[Key, int]) -> None:
        """The running sums of one node in one pass."""
        numbers = [row[0] for row in map(self._sent, steps)]
        if len(steps) > _SUMMED:
            self._add_up_many(steps, numbers)
        else:
            for at, step in enumerate(steps[1:], 2):
                self.totals[step] = tuple(numbers[:at])
        if key in finals:
            self.totals[steps[-1]] = (finals[key],)

    def _sent(self, step: int) -> tuple[int, ...]:
        row = self.contributions[step]
        return row if isinstance(row, tuple) else ()

    def _add_up_many(self, steps: list[int], numbers: list[int]) -> None:
        values = self.recording.values
        rows = np.array(numbers) - values.first
        if (values.kind[rows] == ValueKind.SCALAR).all():
            is_wide = values.dtype_of(numbers[0]) == "float64"
            sums = np.cumsum(values.norm[rows].astype(np.float64 if is_wide else np.float32))
            for step, total in zip(steps, sums, strict=True):
                self.totals[step] = float(total) if is_wide else total
        else:
            nothing = unknown(values.shape_of(numbers[0]), values.dtype_of(numbers[0]))
            for step in steps[1:]:
                self.totals[step] = nothing

    # Numbers

    def _numbered(self) -> Trace:
        made = self.graph.made
        order = self._order()
        number = {key: at for at, key in enumerate(order)}
        nodes = [made[key] for key in order]
        columns, recording = self.recording.calls.columns, self.recording
        operations = []
        for node in nodes:
            name = node.grad_fn if node.call == _NOWHERE and node.operands else ""
            if node.call != _NOWHERE and node.operands:
                function = recording.functions[int(columns["function"][node.call])]
                name = function.name
            operations.append(name)
        names, assigned = self._names(order, operations)
        stacks = [int(columns["stack"][n.call]) if n.call >= 0 else _NOWHERE for n in nodes]
        groups = [self._groups(key) for key in order]
        dtypes = [
            recording.values.dtype_of(v) if v >= 0 else "float32"
            for v in (n.value if n.value >= 0 else n.like for n in nodes)
        ]
        recorded = RecordedNodes(
            value=NodeValues(self.lookup, [(node.value, node.like) for node in nodes]),
            operands=[tuple(number[key] for key in node.operands) for node in nodes],
            operations=operations,
            grad_fns=[node.grad_fn for node in nodes],
            requires_grad=bytes(node.requires_grad for node in nodes),
            names=names,
            keeping_grad=tuple(number[key] for key in self.graph.leaves if key in number),
            places=[self.places.of(stack) for stack in stacks],
            groups=groups,
            dtypes=dtypes,
        )
        dtype: Dtype = "float64" if "float64" in dtypes else "float32"
        return Trace(
            heading=self._heading(dtype),
            nodes=recorded,
            assigned=assigned,
            passes=self._passes(number, names, operations),
            senders=self._column(self.senders, number),
            receivers=self._column(self.receivers, number),
            positions=np.array(self.positions, np.int16),
            contributions=KnownColumn(self.lookup, self.contributions),
            totals=KnownColumn(self.lookup, self.totals),
            producer=RecordingProducer(
                recording,
                np.array([node.call for node in nodes], np.int64),
                [node.value for node in nodes],
                recorded,
            ),
        )

    @staticmethod
    def _column(keys: list[Key | None], number: dict[Key, int]) -> np.ndarray:
        return np.array([NO_NODE if key is None else number[key] for key in keys], np.int32)

    def _order(self) -> list[Key]:
        """All keys, operands before consumers, else by time."""
        made, order, state = self.graph.made, [], {}
        for first in list(made):
            pending = [(first, False)]
            while pending:
                key, is_ready = pending.pop()
                if is_ready:
                    state[key] = True
                    order.append(key)
                elif key not in state:
                    state[key] = False
                    pending.append((key, True))
                    for operand in reversed(made[key].operands):
                        if state.get(operand) is False:
                            raise self.recording.frames.error("a value is made of itself")
                        if operand not in state:
                            pending.append((operand, False))
        return order

    def _names(
        self, order: list[Key], operations: list[str]
    ) -> tuple[dict[int, str], dict[str, int]]:
        """By node its label, with a version where a name is given more than once; and back."""
        made = self.graph.made
        bare = [
            made[key].name or ("" if operation else _LEAF_NAME)
            for key, operation in zip(order, operations, strict=True)
        ]
        counts, seen = Counter(bare), Counter[str]()
        names: dict[int, str] = {}
        assigned: dict[str, int] = {}
        for node, name in enumerate(bare):
            if name:
                seen[name] += 1
                names[node] = f"{name}@{seen[name]}" if counts[name] > 1 else name
                assigned[names[node]] = assigned[name] = node
        return names, assigned

    def _groups(self, key: Key) -> tuple[Group, ...]:
        call = self.graph.made[key].call
        module = _NOWHERE
        if call != _NOWHERE:
            module = int(self.recording.calls.columns["module"][call])
        path = self.recording.modules[module].path if module != _NOWHERE else ""
        iteration = self.iterations.get(key)
        found = [] if iteration is None else [Group(GroupKind.ITERATION, f"#{iteration}")]
        return (*found, Group(GroupKind.MODULE, path)) if path else tuple(found)

    def _passes(
        self, number: dict[Key, int], names: dict[int, str], operations: list[str]
    ) -> tuple[TracePass, ...]:
        found = []
        stops = [row[2] for row in self.passes[1:]] + [len(self.senders)] * bool(self.passes)
        for index, (row, stop) in enumerate(zip(self.passes, stops, strict=True)):
            kind, event, start, output, grads = row
            name, about = str(kind), ""
            if isinstance(event, Pass) and output is not None:
                label = names.get(number[output]) or operations[number[output]]
                name = f"backward {label}".strip()
            elif isinstance(event, Update):
                name, about = f"{event.optimizer}.step", _told(event)
            by_number = {
                number[key]: value for key, value in (grads or {}).items() if key in number
            }
            found.append(
                TracePass(
                    index,
                    kind,
                    name,
                    start,
                    stop,
                    None if output is None else number[output],
                    None if grads is None else Grads(self.lookup, by_number),
                    about=about,
                    ratios=_ratios(event) if isinstance(event, Update) else {},
                )
            )
        return tuple(found) or (TracePass(0, PassKind.FORWARD, "forward", 0, 0),)

    def _heading(self, dtype: Dtype) -> Heading:
        recording = self.recording
        said = list(error_lines(recording))
        note = "; ".join([shorten(line, _NOTED) for line in (*said[:1], *said[2:])])
        if not note and not recording.is_complete:
            note = "this recording was cut off: the program was killed, or still runs"
        name = PurePath(recording.start.script or str(recording.frames.path)).name
        return Heading(
            title=f"{name}, recorded",
            about=_about(recording),
            name=str(recording.frames.path),
            files=self.places.files(recording.start.script),
            hints={},
            note=note,
            dtype=dtype,
            computed_by=f"torch {recording.start.torch.partition('+')[0]}",
            start=len(self.senders) if recording.error is not None else 0,
        )


def _about(recording: Recording) -> str:
    """What there is to know of the whole run, in Markdown."""
    passes = recording.passes
    losses = [f"{pass_.loss:.4g}" for pass_ in passes if pass_.loss is not None]
    more = " → …" if len(losses) > _LOSSES else ""
    parts = [f"As it ran with torch {recording.start.torch}; backward passes: {len(passes)}."]
    parts += [f"`{line}`" if "`" not in line else line for line in error_lines(recording)]
    if losses:
        parts.append(f"The loss, pass by pass: {' → '.join(losses[:_LOSSES])}{more}")
    if passes and passes[-1].missing:
        names = ", ".join(f"`{name}`" for name in passes[-1].missing[:_LOSSES])
        parts.append(f"`.grad` is None of {names}: no path leads there from the loss.")
    return "\n\n".join(parts)


def _ratios(update: Update) -> dict[str, float]:
    """By parameter how far it moved, over how large it was."""
    rows = zip(update.names, update.updates, update.weights, strict=True)
    return {name: moved / weight for name, moved, weight in rows if weight > 0}


def _told(update: Update) -> str:
    """A step of an optimiser in a few lines."""
    rate = f", lr {update.rates[0]:g}" if update.rates else ""
    lines = [f"{update.optimizer} step {update.iteration}{rate}"]
    if update.changed:
        count = len(update.names)
        lines.append(
            f"{update.changed} of {count} gradients were changed since their backward pass"
        )
    rows = zip(update.names, update.gradients, update.updates, update.weights, strict=True)
    for name, gradient, moved, weight in rows:
        ratio = f", {moved / weight:.2g} of it" if weight > 0 else ""
        lines.append(f"{name or _LEAF_NAME}: |grad| {gradient:.3g}, |∆w| {moved:.3g}{ratio}")
    return "\n".join(lines)


class _Places:
    """Parts of the person's own files."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        folder = PurePath(recording.start.script).parent
        self._sources = {
            file: Source(_short(file, folder), text) for file, text in recording.sources.items()
        }
        self._starts: dict[str, list[int]] = {}
        self._found: dict[int, Place | None] = {}

    def files(self, script: str) -> tuple[Source, ...]:
        """All texts, that of the script first."""
        ordered = sorted(self._sources, key=lambda file: file != script)
        return tuple(self._sources[file] for file in ordered)

    def of(self, stack: int) -> Place | None:
        """The innermost place of a stack; None where its text is not known."""
        if stack not in self._found:
            site = self._recording.site(stack)
            self._found[stack] = None if site is None else self._place(site)
        return self._found[stack]

    def _place(self, site: Site) -> Place | None:
        source = self._sources.get(site.file)
        if source is None:
            return None
        starts = self._starts.setdefault(site.file, _line_starts(source.text))
        if not 1 <= site.line <= len(starts):
            return None
        end = site.end_line or site.line
        if site.column is None or site.end_column is None or not site.line <= end <= len(starts):
            line = source.line(site.line)
            start = starts[site.line - 1] + len(line) - len(line.lstrip())
            return Place(source, Span(start, starts[site.line - 1] + len(line)))
        start = starts[site.line - 1] + _characters(source.line(site.line), site.column)
        stop = starts[end - 1] + _characters(source.line(end), site.end_column)
        return Place(source, Span(start, max(start, stop)))


def _line_starts(text: str) -> list[int]:
    return [0, *(at + 1 for at, character in enumerate(text) if character == "\n")]


def _characters(line: str, column: int) -> int:
    """A column in bytes as one in characters."""
    return len(line.encode()[: max(column, 0)].decode(errors="ignore"))


def _short(file: str, folder: PurePath) -> str:
    """A file as it is seen from the script's folder, or else with the folder it is in."""
    path = PurePath(file)
    if path.is_absolute() and folder.is_absolute() and path.is_relative_to(folder):
        return str(path.relative_to(folder))
    return "/".join(path.parts[-2:]).lstrip("/")
