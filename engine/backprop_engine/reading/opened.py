"""An operation opened into the primitives it is made of: a trace of its own.

The statements stand in the catalogue (`Operation.composite`) over the letters of the operands.
They are run with the values that the operands have outside, and backwards from the upstream
gradient that was recorded outside, so what comes to a letter is what the operation has sent to
that operand, up to rounding.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from backprop_engine.basics.source import ProblemError, ScenarioError, Source, Span
from backprop_engine.basics.values import Value, full_like
from backprop_engine.checking.compare import Comparison, compare
from backprop_engine.grammar.excerpt import whole
from backprop_engine.grammar.parser import parse_program
from backprop_engine.operation import OPERAND_LETTERS, Operation
from backprop_engine.program.scenario import Input, Scenario
from backprop_engine.program.statements import read_program
from backprop_engine.reading.explain import expression
from backprop_engine.reading.paths.edges import size
from backprop_engine.run.record import record
from backprop_engine.trace import Pass, PassKind, Trace

RESULT = "out"
"""The name of a result that has none, neither inside nor outside."""
_ASSIGNED = re.compile(r"\s*[^\W\d]\w*\s*=(?!=)")
_RELATIVE: Mapping[str, float] = {"float64": 1e-7, "float32": 1e-4}
"""How far apart two ways to compute one thing may come out, end to end; torch has a few slopes
(1/6 in hardsigmoid) in 32 bits only."""


@dataclass(frozen=True, eq=False)
class Opened:
    """The inside of `node`, an application of a composite operation."""

    outer: Trace
    node: int
    one: Pass | None
    """The backward pass outside whose upstream gradient goes in; None where none reaches it."""
    trace: Trace
    """Forward, and then backward from the upstream gradient if there is one."""


@dataclass(frozen=True, eq=False, slots=True)
class Sent:
    """What an operation has sent to an operand, and what its inside sends there."""

    label: str
    """The operand's."""
    outside: Value
    inside: Value | None
    comparison: Comparison
    """Agrees if the two are equal to rounding, end to end."""


def why_closed(trace: Trace, node: int) -> str:
    """Why there is nothing to open at `node`; empty where there is."""
    operation, label = trace.graph.operation[node], trace.label(node)
    if operation is None:
        kind = "an input" if node in trace.graph.inputs.values() else "a constant"
        return f"{label} is {kind}: nothing was computed that could be opened"
    if not composite_text(trace, node):
        return f"{label} = {expression(trace, node)}: {operation.name} is not made of other parts"
    return ""


def open_composite(trace: Trace, node: int, one: Pass | None) -> Opened:
    """The inside of `node`, with its upstream gradient in the backward pass `one`.

    ValueError where there is nothing to open, ScenarioError where the parts do not take these
    operands.
    """
    operation, reason = trace.graph.operation[node], why_closed(trace, node)
    if operation is None or reason:
        raise ValueError(reason)
    upstream = None if one is None else trace.gradient(node, one.stop)
    return Opened(trace, node, one, record(_scenario(trace, node, operation, upstream)))


def seeding_pass(trace: Trace, node: int, cursor: int) -> Pass | None:
    """The backward pass in which `node` gets its upstream gradient: that at `cursor`, or the next.

    Failing both the last before; None if it never gets one.
    """
    found = [
        trace.passes[trace.pass_index(step)]
        for step in trace.receipts(node)
        if trace.passes[trace.pass_index(step)].kind is PassKind.BACKWARD
    ]
    shown = trace.shown_pass(cursor)
    if shown in found:
        return shown
    return next((one for one in found if one.stop > cursor), found[-1] if found else None)


def composite_text(trace: Trace, node: int) -> str:
    """The statements, one a line, attributes filled in and the last one with a name.

    Empty where the operation is not made of other parts, or not of operands such as these.
    """
    graph, operation = trace.graph, trace.graph.operation[node]
    if operation is None:
        return ""
    values = [graph.value[one] for one in graph.operands[node]]
    text = operation.opened(values, graph.attributes_of(node)).replace(";", "\n")
    *before, last = [line.strip() for line in text.split("\n") if line.strip()] or [""]
    if last and not _ASSIGNED.match(last):
        last = f"{_result_name(trace.label(node), before, len(values))} = {last}"
    return "\n".join([*before, last])


def _result_name(label: str, before: list[str], operand_count: int) -> str:
    """What the value is called outside, unless that is no name or means something else inside."""
    taken = {line.partition("=")[0].strip() for line in before}
    taken |= set(OPERAND_LETTERS[:operand_count])
    return label if label.isidentifier() and label not in taken else RESULT


def _scenario(trace: Trace, node: int, operation: Operation, upstream: Value | None) -> Scenario:
    graph = trace.graph
    text = composite_text(trace, node)
    operands = dict(zip(OPERAND_LETTERS, graph.operands[node], strict=False))
    made = f"{trace.label(node)} = {expression(trace, node)}"
    legend = ", ".join(f"{letter} is {trace.label(one)}" for letter, one in operands.items())
    source = Source(f"inside of {made}", f"# {made}: {legend}\n{text}\n")
    inputs = [
        Input(letter, graph.value[one], bool(graph.requires_grad[one]), Span(0, 0))
        for letter, one in operands.items()
    ]
    try:
        statements = parse_program(whole(source), variables=frozenset(operands))
        program = read_program(source, statements, inputs, graph.dtype)
    except ProblemError as error:
        raise ScenarioError(source, error.problem) from None
    passes = () if upstream is None else (replace(program.default_pass, gradient=upstream),)
    about = (
        f"Inside of `{made}`: {operation.words or operation.name}, in the parts it is made of. "
        f"Here {legend}.\n\nTo torch it is one operation with a derivative of its own; the parts "
        "come to the same. `I` closes it again and compares the two."
    )
    return Scenario(
        source=source,
        inputs=program.inputs,
        statements=program.statements,
        passes=passes,
        dtype=graph.dtype,
        title=f"inside of {made}",
        about=about,
        tensors=program.tensors,
        changes_in_place=program.changes_in_place,
    )


def compare_sent(opened: Opened) -> list[Sent]:
    """What went to each operand that requires grad, outside and inside."""
    outer, inner, one = opened.outer, opened.trace, opened.one
    if one is None:
        return []
    grads = inner.passes[-1].grads or {}
    found: list[Sent] = []
    for step in range(one.start + 1, one.stop):
        if int(outer.senders[step]) != opened.node:
            continue
        _, operand, position = outer.edge(step)
        outside = outer.contribution(step)
        inside = grads.get(inner.graph.inputs[OPERAND_LETTERS[position]])
        found.append(
            Sent(outer.label(operand), outside, inside, _compared(opened, outside, inside))
        )
    return found


def _compared(opened: Opened, outside: Value, inside: Value | None) -> Comparison:
    if inside is None:  # nothing was sent inside, which is as good as sending zeros
        inside = full_like(outside, 0.0)
    return compare(inside, outside, _RELATIVE[opened.outer.graph.dtype] * size(outside))
