"""The turns of a learner's backward pass, in the order in which they were taken."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import field
from typing import Any

import numpy as np

from backprop_engine.basics import notation
from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.values import Value, in_full
from backprop_engine.trace import Pass
from backprop_tui.oracles.yours.comparing import agrees
from backprop_tui.oracles.yours.contributions import Sending, judge_sending
from backprop_tui.oracles.yours.parts import Part, Parts
from backprop_tui.oracles.yours.protocol import Event, LearnersPass
from backprop_tui.oracles.yours.verdict import Kind, Verdict


@dataclass(eq=False)
class _Turn:
    """A value at work, and the gradients that change meanwhile."""

    sender: int
    upstream: Value | None
    line: int | None
    """Where it was called for its turn; None where it was seen by what it sent alone."""
    changes: list[Event] = field(default_factory=list)


@dataclass(eq=False)
class _Work:
    """A part at work: all turns of its values."""

    part: Part
    upstream: Value | None = None
    changes: list[Event] = field(default_factory=list)
    waiting: set[int] = field(default_factory=set)


class Turns:
    """Looks for the first turn that is wrong."""

    def __init__(self, parts: Parts, pass_: Pass, told: LearnersPass) -> None:
        self._parts, self._pass, self._told = parts, pass_, told
        trace = parts.trace
        self._output = parts.by_node[pass_.output or 0]
        self._seed = in_full(trace.contribution(pass_.start))
        self._single = parts.run.is_single
        self._part_order = parts.taking_part(self._output)
        self._consumers: dict[int, list[Part]] = defaultdict(list)
        for part in self._part_order:
            for at in dict.fromkeys(at for at, _ in part.operands if at is not None):
                self._consumers[at].append(part)
        self._steps = {
            (int(trace.senders[step]), int(trace.positions[step])): step
            for step in reversed(range(pass_.start, pass_.stop))
        }
        self._turns = list(_turns(told.events))
        self._silent = self._never_at_work()
        self._received: dict[int, Any] = {}
        self._done: dict[int, int | None] = {}
        """By output of the parts that have had their turn, where they were called for it."""
        self._at_work: dict[int, _Work] = {}

    def verdict(self) -> Verdict | None:
        """The first thing that is wrong by itself; None where nothing is."""
        turns = self._turns
        if self._told.raised and turns and turns[-1].sender == self._told.at_work:
            turns = turns[:-1]  # it was cut short
        for turn in turns:
            part = self._parts.of_value.get(turn.sender)
            if part is None or part not in self._part_order:
                continue
            wrong = self._wrong_turn(part, turn)
            if wrong is not None:
                return wrong
        if self._told.raised:
            return self._raised()
        for work in self._at_work.values():
            wrong = self._judged(work)
            if wrong is not None:
                return wrong
        if self._silent:
            return self._never_sent(self._silent[0])
        return None

    def _wrong_turn(self, part: Part, turn: _Turn) -> Verdict | None:
        if turn.sender == part.output:
            wrong = self._out_of_order(part, turn) or self._wrong_upstream(part, turn)
            if wrong is not None:
                return wrong
            self._done[part.output] = turn.line
        work = self._at_work.setdefault(
            part.output, _Work(part, waiting={part.output, *part.inner})
        )
        if turn.sender == part.output:
            work.upstream = turn.upstream
        work.changes += turn.changes
        work.waiting.discard(turn.sender)
        for change in turn.changes:
            self._receive(change)
        if work.waiting:
            return None
        del self._at_work[part.output]
        return self._judged(work)

    def _receive(self, change: Event) -> None:
        if change.to is not None and change.after is not None:
            before, gained = self._received.get(change.to), change.gained
            self._received[change.to] = gained if before is None else before + gained

    # Order

    def _out_of_order(self, part: Part, turn: _Turn) -> Verdict | None:
        label = self._parts.label(part.output)
        if part.output in self._done:
            if self._is_consistent(part):
                return None
            message = (
                f"{label} sends a second time. A value sends once, when its own gradient is "
                "complete; what it sent before is added again."
            )
            is_elsewhere = turn.line != self._done[part.output]
            line = turn.line if is_elsewhere else self._order_line()
            return self._at(Kind.FIRED_TWICE, message, line, part)
        missing = [
            consumer for consumer in self._consumers[part.output]
            if consumer.output not in self._done
        ]  # fmt: skip
        for consumer in missing:
            if consumer in self._silent:
                return self._never_sent(self._silent[0])
        if not missing:
            return None
        late = " and ".join(self._parts.label(consumer.output) for consumer in missing)
        message = (
            f"{label} sends before {late} has sent to it: its gradient is not complete then. "
            "All that is computed from a value has its turn before the value has."
        )
        return self._at(Kind.ORDER, message, self._order_line(), part)

    def _order_line(self) -> int | None:
        """The loop if it goes the wrong way round; else where its list is filled."""
        order = [at.sender for at in self._turns if at.sender in self._parts.of_output]
        place = {sender: at for at, sender in enumerate(reversed(order))}
        is_reversed = all(
            place.get(consumer.output, -1) < place.get(part.output, len(order))
            for part in self._part_order
            for consumer in self._consumers[part.output]
        )
        told = self._told
        if is_reversed or told.entered is None:
            return told.loop or told.backward
        return told.entered

    def _is_consistent(self, part: Part) -> bool:
        """Whether the gradients in the end are those of a right pass, by their own numbers."""
        end, parts = self._told.end, self._parts
        for at in dict.fromkeys(at for at, _ in part.operands if at is not None):
            if at not in parts.requiring:
                continue
            total: Any = 0.0
            for consumer in self._consumers[at]:
                upstream = end[consumer.output]
                if upstream is None:
                    return False
                for position in consumer.positions(at):
                    sent = parts.sent(consumer, position, upstream)
                    if sent is None or np.shape(sent) != np.shape(parts.made[at].value):
                        return False
                    total = total + sent
            if end[at] is None or not agrees(end[at], total, is_single=self._single):
                return False
        return True

    def _never_at_work(self) -> list[Part]:
        """The parts that should send something and never do, consumers first."""
        seen = {turn.sender for turn in self._turns}
        silent: list[Part] = []
        for part in self._part_order:
            if part.output in seen or not self._consumers_sent(part, silent):
                continue
            upstream = self._told.end[part.output]
            if upstream is None:
                silent.append(part)
                continue
            sent = (
                self._parts.sent(part, position, upstream)
                for at, _ in part.operands
                if at in self._parts.requiring
                for position in part.positions(at)
            )
            if any(each is None or np.any(each) for each in sent):
                silent.append(part)
        return silent

    def _consumers_sent(self, part: Part, silent: Sequence[Part]) -> bool:
        consumers = self._consumers[part.output]
        return part.output == self._output or not all(each in silent for each in consumers)

    def _never_sent(self, part: Part) -> Verdict:
        parts = self._parts
        if any(made.holds for made in parts.made):
            for consumer in self._consumers[part.output]:
                made = parts.made[consumer.output]
                if part.output not in made.holds and not consumer.inner:
                    message = (
                        f"{parts.label(part.output)} never sends anything: "
                        f"{parts.label(consumer.output)} is computed from it and does not know it, "
                        "so that the backward pass does not find it."
                    )
                    return self._at(Kind.NEVER_SENT, message, made.line, part)
        message = (
            f"{self._parts.label(part.output)} never sends anything, though the output was "
            "computed from it: it is missing from the order of the backward pass."
        )
        told = self._told
        return self._at(Kind.NEVER_SENT, message, told.entered or told.loop or told.backward, part)

    # Upstream

    def _wrong_upstream(self, part: Part, turn: _Turn) -> Verdict | None:
        at, told = part.output, self._told
        if turn.upstream is None and self._received.get(at) is None and at != self._output:
            return None  # it keeps what it has received elsewhere
        right = self._seed if at == self._output else self._received.get(at, 0.0)
        if agrees(
            turn.upstream if turn.upstream is not None else 0.0, right, is_single=self._single
        ):
            return None
        start = told.start[at]
        label, has = self._parts.label(at), _short(turn.upstream)
        is_left = start is not None and np.any(start) and turn.upstream is not None
        if is_left and agrees(turn.upstream, np.asarray(start) + right, is_single=self._single):
            message = (
                f"The gradient of {label} still holds {_short(start)} of the pass before, and "
                f"{has} is sent on for {_short(right)}: the gradients of the values in between "
                "start at 0 in each pass."
            )
            return self._at(Kind.STALE, message, told.backward, part)
        if at == self._output:
            message = f"The backward pass starts at {label} with {has}; {_short(right)} is right."
            line = next((e.line for e in told.events if e.to == at and e.sender is None), None)
            return Verdict(Kind.SEED, message, line or told.backward, self._pass.start)
        return None

    # What is sent

    def _judged(self, work: _Work) -> Verdict | None:
        """The first thing wrong in what a part has sent."""
        part, parts = work.part, self._parts
        if work.upstream is None:
            return None
        for at in dict.fromkeys(at for at, _ in part.operands if at is not None):
            positions = part.positions(at)
            if at not in parts.requiring or at in part.inner:
                continue
            changes = [each for each in work.changes if each.to == at and each.after is not None]
            sending = Sending(
                edges=tuple(parts.edge(part, position, work.upstream) for position in positions),
                sender=parts.label(part.output),
                receiver=parts.label(at),
                shape=np.shape(parts.made[at].value),
                is_single=self._single,
            )
            found = judge_sending(sending, changes)
            if found is not None:
                kind, message, line = found
                made = parts.made[part.output]
                line = line or made.rule_line or made.line
                return self._at(kind, message, line, part, positions[-1])
        return None

    def _raised(self) -> Verdict | None:
        told, parts = self._told, self._parts
        if told.at_work is None:
            return None
        waiting = [each for each in self._consumers[told.at_work] if each.output not in self._done]
        if waiting and not self._turns:
            label, late = parts.label(told.at_work), parts.label(waiting[0].output)
            message = (
                f"`backward` raises {told.raised} at {label}, before {late} has sent to it. All "
                "that is computed from a value has its turn before the value has."
            )
            return self._at(Kind.ORDER, message, told.loop or told.backward, waiting[0])
        part = parts.of_value.get(told.at_work)
        if part is None:
            return None
        shapes = [np.shape(parts.value(operand)) for operand in part.operands]
        is_spread = any(shape != np.shape(parts.made[part.output].value) for shape in shapes)
        kind = Kind.SHAPE if is_spread and "shape" in told.raised else Kind.RULE
        message = f"`{part.operation.name}` raises {told.raised} as it sends."
        if kind is Kind.SHAPE:
            message += " What was broadcast on the way forward is summed on the way back."
        return self._at(kind, message, told.line, part)

    def _at(
        self, kind: Kind, message: str, line: int | None, part: Part, position: int = 0
    ) -> Verdict:
        node = part.node
        at = position if (node, position) in self._steps else 0
        steps = [step for (sender, _), step in self._steps.items() if sender == node]
        step = self._steps.get((node, at), min(steps, default=self._pass.start))
        return Verdict(kind, message, line, step)


def _turns(events: Sequence[Event]) -> Iterator[_Turn]:
    """Events of one value after the other; changes by nobody are left out."""
    turn: _Turn | None = None
    for event in events:
        if event.to is None and event.sender is not None:
            if turn is not None:
                yield turn
            turn = _Turn(event.sender, event.upstream, event.line)
        elif event.sender is None:
            continue
        else:
            if turn is None or turn.sender != event.sender:
                if turn is not None:
                    yield turn
                turn = _Turn(event.sender, event.upstream, None)
            turn.changes.append(event)
    if turn is not None:
        yield turn


def _short(value: Any) -> str:
    return "nothing" if value is None else notation.short(value)
