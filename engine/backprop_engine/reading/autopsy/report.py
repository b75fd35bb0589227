"""The autopsy: the first inf or nan that does harm, what became of it, and whose fault it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

from backprop_engine.basics import notation
from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.source import Place, Position, ScenarioError
from backprop_engine.reading.autopsy.births import Birth, births, is_by_element, is_spoilt
from backprop_engine.reading.autopsy.births import Place as BirthPlace
from backprop_engine.reading.autopsy.cures import Cure, cures
from backprop_engine.reading.autopsy.figures import figures
from backprop_engine.reading.autopsy.flow import (
    Cause,
    Event,
    Flow,
    Reached,
    Victim,
    causes,
    event_of,
    victims_of,
)
from backprop_engine.reading.explain import expression
from backprop_engine.reading.opened import open_composite
from backprop_engine.trace import NO_NODE, Missing, Trace
from backprop_engine.trace.abilities import Opens

_CAUSES_TOLD = 4


@dataclass(frozen=True, slots=True)
class Told:
    """One birth, as it is told."""

    birth: Birth
    kind: str
    """`nan`, `inf` or `−inf`."""
    operation: str
    """Its name in the catalogue; `input` or `constant` for a leaf."""
    figures: str
    """`0 · inf at [0]: upstream 0, local 1/(2·√0) = inf`"""
    place: Place | None
    """The text of the operation."""
    inside: str
    """Where elements mix, the figures again: of the part, inside of the operation, that did it."""
    headline: str
    """`the first nan is born in step 7, backward y: %2 = √x sends to x`"""

    @property
    def position(self) -> Position | None:
        """Where the operation stands in the source."""
        return None if self.place is None else self.place.position


@dataclass(frozen=True, eq=False)
class Autopsy:
    """What is known of the first number that is not finite and does harm."""

    trace: Trace
    births: tuple[Birth, ...]
    """All of them, in the order of the timeline."""
    first: Told
    nan: Told | None
    """Where the first is an inf: the first nan that came of it on the way told."""
    causes: tuple[Cause, ...]
    """The inputs that feed the first birth."""
    ways: Mapping[str, tuple[Event, ...]]
    """From the birth to each output (`y`) and each `.grad` (`x.grad`) that it spoils."""
    cures: tuple[Cure, ...]
    """What usually helps, the closest first; perhaps nothing."""
    events: frozenset[Event]
    """Every value and every contribution that is not finite."""

    @property
    def other_births(self) -> int:
        """How many births are not told."""
        return len(self.births) - 1 - (self.nan is not None)

    @property
    def start(self) -> int:
        """The cursor from which on the screen can show the first of them."""
        return 0 if self.first.birth.step is None else self.first.birth.step

    @cached_property
    def causes_text(self) -> str:
        """`x[0] = 0, w = 3`"""
        named = [cause_text(self.trace, cause) for cause in self.causes[:_CAUSES_TOLD]]
        more = len(self.causes) - len(named)
        return ", ".join(named) + (f" and {more:,} more" if more else "")

    @property
    def victims(self) -> tuple[str, ...]:
        """What is spoilt: `y`, `x.grad`."""
        return tuple(self.ways)


def autopsy(trace: Trace) -> Autopsy | None:
    """The autopsy of `trace`; None if nothing in it is nan and no result is inf.

    An inf that is gone again before the results, such as a mask of −inf before a softmax, is no
    cause for one.
    """
    found = list(births(trace))
    if not found:
        return None
    victims = victims_of(trace)
    if not victims:
        victims = [
            Victim(trace.label(birth.node), True, (event_of(trace, birth),))
            for birth in found
            if birth.is_nan
        ]
    if not victims:
        return None
    flow = Flow(trace)
    harmful = flow.harmful(event for victim in victims for event in victim.events)
    first = next((birth for birth in found if event_of(trace, birth) in harmful), found[0])
    from_first = flow.reached(event_of(trace, first))
    nan = None if first.is_nan else _first_nan(trace, found, victims, flow, from_first)
    if nan is not None and _is_mask(trace, first):
        from_first, first, nan = flow.reached(event_of(trace, nan)), nan, None
    from_nan = None if nan is None else flow.reached(event_of(trace, nan))
    return Autopsy(
        trace=trace,
        births=tuple(found),
        first=_told(trace, first, "the first " + notation.number(first.value)),
        nan=None if nan is None else _told(trace, nan, "the first nan"),
        causes=causes(trace, first),
        ways=dict(_ways(victims, from_first, from_nan)),
        cures=cures(trace, first, nan),
        events=frozenset(flow.leads_to),
    )


def _is_mask(trace: Trace, birth: Birth) -> bool:
    """Whether −inf was filled in by the program, as before a softmax: that is what it meant."""
    is_filled = trace.nodes.operation_name(birth.node).strip("_") in ("masked_fill", "where")
    return birth.place is BirthPlace.FORWARD and birth.value < 0 and is_filled


def _first_nan(
    trace: Trace, found: list[Birth], victims: list[Victim], flow: Flow, from_first: Reached
) -> Birth | None:
    """The first birth that makes a nan of what the first birth has led to, and does harm as such.

    None if there is none.
    """
    spoilt = flow.harmful(event for victim in victims if victim.is_nan for event in victim.events)
    for birth in found:
        event = event_of(trace, birth)
        if birth.is_nan and event in spoilt and event in from_first.before:
            return birth
    return None


def _ways(
    victims: list[Victim], from_first: Reached, from_nan: Reached | None
) -> Iterator[tuple[str, tuple[Event, ...]]]:
    """To each victim the shortest way; where the nan leads there, by way of it."""
    for victim in victims:
        through = None if from_nan is None else from_nan.first_of(victim.events)
        if from_nan is not None and through is not None:
            way = from_nan.way_to(through)
            yield victim.name, (*from_first.way_to(way[0]), *way[1:])
        elif (event := from_first.first_of(victim.events)) is not None:
            yield victim.name, from_first.way_to(event)


def _told(trace: Trace, birth: Birth, what: str) -> Told:
    node = birth_node(trace, birth)
    kind = "input" if node in trace.input_nodes else "constant"
    return Told(
        birth=birth,
        kind=notation.number(birth.value),
        operation=trace.nodes.operation_name(node) or kind,
        figures=figures(trace, birth),
        inside=_inside(trace, birth),
        place=trace.nodes.place(node),
        headline=f"{what} is {_happening(trace, birth)}",
    )


def birth_node(trace: Trace, birth: Birth) -> int:
    """The node whose operation did it: a sum has none of its own."""
    if birth.place is BirthPlace.SUM and birth.step is not None:
        return int(trace.senders[birth.step])
    return birth.node


def _inside(trace: Trace, birth: Birth) -> str:
    """The figures of the part that did it; empty where the operation has no parts to look at."""
    if is_by_element(trace, birth.node) or isinstance(trace.can(Opens, birth.node), Missing):
        return ""
    if birth.step is None or birth.place not in (BirthPlace.FORWARD, BirthPlace.CONTRIBUTION):
        return ""
    pass_ = trace.passes[trace.pass_index(birth.step)]
    try:
        opened = open_composite(trace, birth.node, None if pass_.output is None else pass_)
    except ScenarioError:
        return ""  # its parts refuse these very operands: there is nothing to look at
    inner = opened.trace
    for part in births(inner):
        is_forward = part.place is BirthPlace.FORWARD
        if part.step is None or part.is_nan is not birth.is_nan:
            continue
        if is_forward is (birth.place is BirthPlace.FORWARD) and (
            is_forward or part.position is not None
        ):
            name = inner.nodes.operation_name(birth_node(inner, part))
            return f"{name}: {figures(inner, part)}"
    return ""


def _happening(trace: Trace, birth: Birth) -> str:
    if birth.step is None:
        return f"given: {trace.label(birth.node)}"
    name = trace.passes[trace.pass_index(birth.step)].name
    return f"born in step {birth.step:,}, {name}: {step_text(trace, birth.step)}"


def step_text(trace: Trace, step: int) -> str:
    """What a step does, in a line: `%2 = √x`, `%2 = √x sends to x`."""
    sender, receiver, position = trace.edge(step)
    label = trace.label(sender)
    if receiver == NO_NODE:
        return f"{label} = {expression(trace, sender)}"
    if position == NO_NODE:
        return f"seed of {label}"
    return f"{label} = {expression(trace, sender)} sends to {trace.label(receiver)}"


def event_text(trace: Trace, event: Event) -> str:
    """A line of a way: what is computed or sent there, and what comes of it."""
    value = trace.nodes.value[event.node]
    if event.step == NO_NODE:
        label = trace.label(event.node)
        if trace.is_leaf(event.node):
            return f"{label} = {notation.short(value)}"
        return f"{label} = {expression(trace, event.node)} = {notation.short(value)}"
    sent = trace.contribution(event.step)
    text = f"{step_text(trace, event.step)}: {notation.short(sent)}"
    if not is_spoilt(sent):
        return f"{text}, added up {notation.short(trace.total_after(event.step))}"
    return text


def event_step(trace: Trace, event: Event) -> int | None:
    """The step in which an event happens; None for a leaf."""
    if event.step != NO_NODE:
        return event.step
    if trace.is_leaf(event.node):
        return None
    return trace.visits(event.node)[0]


def cause_text(trace: Trace, cause: Cause) -> str:
    """`x[0] = 0`"""
    element = str(list(cause.element)) if cause.element else ""
    return f"{trace.label(cause.node)}{element} = {notation.short(cause.value)}"


def autopsy_lines(found: Autopsy) -> list[str]:
    """The autopsy as a few lines of text for people who read it in a table's company."""
    lines: list[str] = []
    for told in (found.first, found.nan):
        if told is not None:
            lines += [told.headline + _place(told), f"  {told.figures}"]
            lines += [f"  inside, {told.inside}"] if told.inside else []
    lines.append(f"fed by {found.causes_text}")
    if found.victims:
        lines.append(f"spoils {', '.join(found.victims)}")
    if found.other_births:
        count = found.other_births
        lines.append(f"and {count:,} more {'birth' if count == 1 else 'births'} of inf or nan")
    return lines


def cure_lines(found: Autopsy) -> list[str]:
    """What usually cures it, and the lessons that show it: a few lines for people."""
    return [line for cure in found.cures for line in (cure.text, cure.reading) if line]


def as_record(found: Autopsy) -> dict[str, Any]:
    """The autopsy in numbers, texts and lists, for JSON: `first` and, after an inf, `nan`."""
    return {
        "first": _told_record(found, found.first),
        **({} if found.nan is None else {"nan": _told_record(found, found.nan)}),
        "fed_by": [cause_text(found.trace, cause) for cause in found.causes],
        "spoils": list(found.victims),
        "births": len(found.births),
    }


def _told_record(found: Autopsy, told: Told) -> dict[str, Any]:
    birth, position = told.birth, told.position
    step = birth.step
    return {
        "kind": told.kind.replace("−", "-"),
        "step": step,
        "pass": None if step is None else found.trace.passes[found.trace.pass_index(step)].name,
        "node": found.trace.label(birth.node),
        "operation": told.operation,
        "element": list(birth.element),
        "figures": told.figures,
        **({"inside": told.inside} if told.inside else {}),
        "line": None if position is None else position.line,
        "column": None if position is None else position.column,
    }


def _place(told: Told) -> str:
    """` (sqrt at 1:8)`: operation, line and column."""
    if told.position is None:
        return f" ({told.operation})"
    return f" ({told.operation} at {told.position.line}:{told.position.column})"
