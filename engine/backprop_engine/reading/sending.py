"""What a contribution step goes along, and what is noted of it in plain words."""

from __future__ import annotations

from typing import NamedTuple

from backprop_engine.basics import notation
from backprop_engine.basics.values import shape_of
from backprop_engine.mathematics.tree import Branch
from backprop_engine.trace import Missing, Progress, Step, Trace
from backprop_engine.trace.abilities import Reruns


class Edge(NamedTuple):
    """What a contribution step goes along, and the gradients at both ends."""

    node: int
    operand: int
    position: int
    target: Branch
    """The output of the pass by the operand."""
    upstream_name: Branch
    """The output of the pass by the node."""


def place_note(trace: Trace, edge: Edge, made: str) -> tuple[str, ...]:
    """Said where one value stands in several places of an operation, as in `x·x`, `made`."""
    places = [
        at for at, operand in enumerate(trace.nodes.operands[edge.node]) if operand == edge.operand
    ]
    if len(places) < 2:
        return ()
    place, label = places.index(edge.position) + 1, trace.label(edge.operand)
    return (f"{label} stands in {len(places)} places of {made}; this step is for place {place}",)


def use_notes(label: str, progress: Progress) -> tuple[str, ...]:
    """Said where a value has several uses: its gradient is a sum."""
    if progress.expected < 2:
        return ()
    times = "twice" if progress.expected == 2 else f"{progress.expected} times"
    missing = progress.expected - progress.received
    rest = f"{missing} still to come" if missing else "this is the last of them"
    said = f"{label} is used {times}, so its gradient is the sum of what all uses send back"
    return (f"{said}; {rest}",)


def running(name: str, was: str, sent: str, now: str) -> str:
    """How the sum of a gradient goes on."""
    if not was:
        return f"{name}: – → {now}"
    return f"{name}: {was} → {was} + {notation.in_brackets(sent)} = {now}"


def shapes_note(trace: Trace, edge: Edge) -> str:
    """The shapes at both ends."""
    shapes = (f"{trace.label(node)} {shape_of(trace.nodes.value[node])}" for node in edge[:2])
    return f"shapes: {', '.join(shapes)}"


def parts_sent(trace: Trace, edge: Edge, step: Step) -> int:
    """In how many parts a recorded call sends what the formula has for one place of an operand."""
    if not isinstance(trace.can(Reruns), Missing):
        return 1
    steps = (each for each in trace.receipts(edge.operand) if trace.step(each).node == edge.node)
    sent = sum(trace.pass_index(each) == step.pass_index for each in steps)
    return sent if sent > trace.nodes.operands[edge.node].count(edge.operand) else 1
