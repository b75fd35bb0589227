"""An operation opened into the primitives it is made of: a trace of its own.

The statements stand in the catalogue (`Operation.composite`) over the letters of the operands.
They are run with the values that the operands have outside, and backwards from the upstream
gradient that was recorded outside, so what comes to a letter is what the operation has sent to
that operand, up to rounding.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import replace

from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.source import ProblemError, ScenarioError, Source, Span
from backprop_engine.basics.values import Value, kept
from backprop_engine.grammar.excerpt import whole
from backprop_engine.grammar.parser import parse_program
from backprop_engine.operation import OPERAND_LETTERS, Operation
from backprop_engine.program.scenario import Backward, Input, Scenario
from backprop_engine.program.statements import read_program
from backprop_engine.reading.explain import expression
from backprop_engine.run.tape import graph_of
from backprop_engine.trace import Missing, Pass, Trace
from backprop_engine.trace.abilities import Explains

RESULT = "out"
"""The name of a result that has none, neither inside nor outside."""
_ASSIGNED = re.compile(r"\s*[^\W\d]\w*\s*=(?!=)")


@dataclass(frozen=True, eq=False, slots=True)
class ComposedOpens:
    """The operations of a trace as traces of their own."""

    trace: Trace
    record: Callable[[Scenario], Trace]
    label: Callable[[int], str] | None = None
    """What nodes are called in what is said, where that is not as in the trace."""

    @staticmethod
    def together(node: int) -> Collection[int]:
        """The nodes that send in one step with `node`."""
        return (node,)

    def open(self, node: int, pass_: Pass | None) -> Trace:
        """The inside of `node`, with its upstream gradient in the backward pass `pass_`.

        ValueError where there is nothing to open, ScenarioError where the parts do not take these
        operands.
        """
        operation = graph_of(self.trace).operation[node]
        if operation is None:
            raise ValueError("nothing was computed that could be opened")
        upstream = None if pass_ is None else kept(self.trace.gradient(node, pass_.stop))
        label = self.label or self.trace.label
        return self.record(_scenario(self.trace, node, operation, upstream, label))


def missing_parts(trace: Trace, node: int) -> Missing | None:
    """Why there is nothing to open at `node`; None where there is."""
    operation, label = graph_of(trace).operation[node], trace.label(node)
    if operation is None:
        kind = "an input" if node in trace.input_nodes else "a constant"
        return Missing(f"{label} is {kind}: nothing was computed that could be opened")
    if not composite_text(trace, node):
        made = f"{label} = {expression(trace, node)}"
        return Missing(f"{made}: {operation.name} is not made of other parts")
    return None


def composite_text(trace: Trace, node: int) -> str:
    """The statements, one a line, attributes filled in and the last one with a name.

    Empty where the operation is not made of other parts, or not of operands such as these.
    """
    graph = graph_of(trace)
    operation = graph.operation[node]
    if operation is None:
        return ""
    values = [graph.value[operand] for operand in graph.operands[node]]
    text = operation.description.opened(values, graph.attributes_of(node)).replace(";", "\n")
    *before, last = [line.strip() for line in text.split("\n") if line.strip()] or [""]
    if last and not _ASSIGNED.match(last):
        last = f"{_result_name(trace.label(node), before, len(values))} = {last}"
    return "\n".join([*before, last])


def _result_name(label: str, before: list[str], operand_count: int) -> str:
    """What the value is called outside, unless that is no name or means something else inside."""
    taken = {line.partition("=")[0].strip() for line in before}
    taken |= set(OPERAND_LETTERS[:operand_count])
    return label if label.isidentifier() and label not in taken else RESULT


def _scenario(
    trace: Trace,
    node: int,
    operation: Operation,
    upstream: Value | None,
    label: Callable[[int], str],
) -> Scenario:
    graph = graph_of(trace)
    text = composite_text(trace, node)
    operands = dict(zip(OPERAND_LETTERS, graph.operands[node], strict=False))
    explains = trace.can(Explains, node)
    told = "" if isinstance(explains, Missing) else explains.output(node).text(label)
    made = f"{label(node)} = {told or expression(trace, node)}"
    legend = ", ".join(f"{letter} is {label(node)}" for letter, node in operands.items())
    source = Source(f"inside of {made}", f"# {made}: {legend}\n{text}\n")
    inputs = [
        Input(letter, graph.value[node], bool(graph.requires_grad[node]), Span(0, 0))
        for letter, node in operands.items()
    ]
    try:
        statements = parse_program(whole(source), variables=frozenset(operands))
        scenario = read_program(source, statements, inputs, graph.dtype)
    except ProblemError as error:
        raise ScenarioError(source, error.problem) from None
    passes = tuple(
        replace(pass_, gradient=upstream)
        for pass_ in scenario.passes
        if isinstance(pass_, Backward) and upstream is not None
    )
    about = (
        f"Inside of `{made}`: {operation.description.words or operation.name}, in the parts it is "
        "made of. "
        f"Here {legend}.\n\nTo torch it is one operation with a derivative of its own; the parts "
        "come to the same. `I` closes it again and compares the two."
    )
    return replace(scenario, passes=passes, title=f"inside of {made}", about=about)
