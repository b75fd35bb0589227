"""How inf and nan get about: from value to value, from contribution to contribution.

An *event* is a value or a contribution that is not finite. Events lead to later ones, as values
lead to the values and contributions that are computed with them; so a sweep from the end finds
all that does harm, and one from a birth finds the way to what it spoils.
"""

from __future__ import annotations

import heapq
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from backprop_engine.basics.summary import Summary
from backprop_engine.basics.values import Known, shape_of
from backprop_engine.reading.autopsy.births import (
    NAN,
    Birth,
    Element,
    Place,
    codes,
    is_by_element,
    is_spoilt,
    suspects,
    worst,
)
from backprop_engine.reading.autopsy.figures import broadcast_index
from backprop_engine.trace import NO_NODE, PassKind, Trace


class Event(NamedTuple):
    """A value of `node`, or, where there is a `step`, what is sent in it."""

    node: int
    step: int = NO_NODE


class Flow:
    """The events of a trace, each with those it leads to."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        nodes = trace.nodes
        self.leads_to: dict[Event, list[Event]] = {}
        """In the order of the timeline."""
        may_be = np.flatnonzero(suspects(nodes.value)).tolist()
        spoilt = [node for node in may_be if is_spoilt(nodes.value[node])]
        values = {node: Event(node) for node in spoilt}
        for node in spoilt:
            self.leads_to[values[node]] = []
            for operand in dict.fromkeys(nodes.operands[node]):
                if operand in values:
                    self.leads_to[values[operand]].append(values[node])
        for pass_ in trace.passes:
            if pass_.kind is PassKind.BACKWARD:
                self._add_pass(pass_.start, pass_.stop, values)

    def _add_pass(self, start: int, stop: int, values: Mapping[int, Event]) -> None:
        trace, nodes = self.trace, self.trace.nodes
        received: dict[int, list[Event]] = defaultdict(list)
        may_be = suspects(trace.contributions)[start:stop] | suspects(trace.totals)[start:stop]
        for step in (np.flatnonzero(may_be) + start).tolist():
            if not (is_spoilt(trace.contributions[step]) or is_spoilt(trace.totals[step])):
                continue
            sender, receiver = int(trace.senders[step]), int(trace.receivers[step])
            event = Event(receiver, step)
            self.leads_to[event] = []
            for key in dict.fromkeys((sender, *nodes.operands[sender])):
                if key in values:
                    self.leads_to[values[key]].append(event)
            for earlier in received[sender]:
                self.leads_to[earlier].append(event)
            if worst(codes(trace.totals[step])) > worst(codes(trace.contributions[step])):
                for earlier in received[receiver]:  # it is the sum that has been spoilt
                    self.leads_to[earlier].append(event)
            received[receiver].append(event)

    def harmful(self, victims: Iterable[Event]) -> set[Event]:
        """The events from which a way leads to one of `victims`."""
        found = set(victims)
        for event in sorted(self.leads_to, key=_time, reverse=True):
            if event not in found and any(after in found for after in self.leads_to[event]):
                found.add(event)
        return found

    def reached(self, start: Event) -> Reached:
        """All that `start` leads to, by the shortest ways."""
        before: dict[Event, Event | None] = {start: None}
        pending = deque([start])
        while pending:
            event = pending.popleft()
            for after in self.leads_to.get(event, ()):
                if after not in before:
                    before[after] = event
                    pending.append(after)
        return Reached(before)


class Reached(NamedTuple):
    """What a search from one event has come to."""

    before: dict[Event, Event | None]
    """For each event reached the one it was reached from; None for the start."""

    def way_to(self, event: Event) -> tuple[Event, ...]:
        """The shortest way there, both ends included."""
        way: list[Event] = []
        at: Event | None = event
        while at is not None:
            way.append(at)
            at = self.before[at]
        return tuple(reversed(way))

    def first_of(self, events: Sequence[Event]) -> Event | None:
        """The first of `events` that was reached."""
        return next((event for event in events if event in self.before), None)


def _time(event: Event) -> tuple[int, int]:
    return event.step, event.node  # values have no step, and were all there before


def event_of(trace: Trace, birth: Birth) -> Event:
    """The event in which something is born."""
    if birth.place in (Place.GIVEN, Place.FORWARD) or birth.step is None:
        return Event(birth.node)
    return Event(int(trace.receivers[birth.step]), birth.step)


class Victim(NamedTuple):
    """A result that is not finite."""

    name: str
    """`y`, `x.grad`"""
    is_nan: bool
    events: tuple[Event, ...]
    """The value; or each of the contributions that have spoilt a `.grad`."""


def victims_of(trace: Trace) -> list[Victim]:
    """What a person asked for and is not finite: outputs of passes, and every `.grad`."""
    found: dict[str, Victim] = {}
    for pass_ in trace.passes:
        if pass_.output is None:
            continue
        value, label = trace.nodes.value[pass_.output], trace.label(pass_.output)
        if is_spoilt(value):
            found[label] = Victim(label, worst(codes(value)) == NAN, (Event(pass_.output),))
        for node, grad in (pass_.grads or {}).items():
            name = f"{trace.label(node)}.grad"
            if name in found or not is_spoilt(grad):
                continue
            events = tuple(
                Event(node, step)
                for step in trace.receipts(node)
                if pass_.start <= step < pass_.stop
                and (is_spoilt(trace.contributions[step]) or is_spoilt(trace.totals[step]))
            )
            found[name] = Victim(name, worst(codes(grad)) == NAN, events)
    return list(found.values())


class Cause(NamedTuple):
    """A leaf that a birth was computed from: of an array one element, where it is one."""

    node: int
    element: Element | None
    """None for all of it, `()` for a scalar."""
    value: Known


def causes(trace: Trace, birth: Birth) -> tuple[Cause, ...]:
    """The inputs that feed the birth; constants, where no input does."""
    nodes = trace.nodes
    is_summed = len(birth.element) != len(shape_of(nodes.value[birth.node]))
    is_summed |= birth.place in (Place.SUM, Place.TERMS)
    found: dict[int, Element | None] = {birth.node: None if is_summed else birth.element}
    pending = [-birth.node]
    leaves: list[int] = []
    while pending:  # from the birth downwards: all uses of a node are known when its turn comes
        node = -heapq.heappop(pending)
        element = found[node]
        if trace.is_leaf(node):
            leaves.append(node)
            continue
        for operand in nodes.operands[node]:
            shape = shape_of(nodes.value[operand])
            own: Element | None = None
            if element is not None and is_by_element(trace, node):
                own = broadcast_index(shape, element)
            elif not shape:
                own = ()
            if operand not in found:
                heapq.heappush(pending, -operand)
                found[operand] = own
            elif found[operand] != own:
                found[operand] = None
    inputs = trace.input_nodes
    named = [node for node in leaves if node in inputs] or leaves
    return tuple(_cause(nodes.value[node], node, found[node]) for node in sorted(named))


def _cause(value: Known, node: int, element: Element | None) -> Cause:
    if element is None or not shape_of(value) or isinstance(value, Summary):
        return Cause(node, None if shape_of(value) else (), value)
    return Cause(node, element, np.asarray(value)[element].item())
