"""What a learner is told of a mistake: its sentence, about the nodes of the step."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from backprop_engine.mathematics.text import text_of
from backprop_engine.mathematics.tree import Text, partial
from backprop_engine.mistakes.table import Mistake
from backprop_engine.reading.local_derivatives import has_array
from backprop_engine.trace import Missing, Trace
from backprop_engine.trace.abilities import Explains


def told(mistake: Mistake, trace: Trace, step: int) -> str:
    """The sentence of `mistake` at a step that sends: `the upstream ∂y/∂%2 was forgotten`."""
    node, operand, _ = trace.edge(step)
    holes: Mapping[str, Callable[[], str]] = {
        "node": lambda: trace.label(node),
        "operand": lambda: trace.label(operand),
        "upstream": lambda: upstream_name(trace, step),
        "local": lambda: local_text(trace, step),
    }
    named = {hole: name() for hole, name in holes.items() if f"{{{hole}}}" in mistake.sentence}
    # What has no local derivative of its own, as a matrix product, leaves a gap.
    return " ".join(mistake.sentence.format_map(named).split())


def in_general(mistake: Mistake) -> str:
    """Its sentence about no node in particular."""
    general = {"node": "a node", "operand": "its operand", "upstream": "gradient", "local": ""}
    text = " ".join(mistake.sentence.format_map(general).split())
    return f"{text[0].upper()}{text[1:]}."


def told_all(mistakes: Iterable[Mistake], trace: Trace, step: int) -> str:
    """The sentences of several, one of which it is."""
    return "; or ".join(told(mistake, trace, step) for mistake in mistakes)


def upstream_name(trace: Trace, step: int) -> str:
    """`∂y/∂%2`: the gradient of the node that sends."""
    output = trace.passes[trace.pass_index(step)].output
    node = trace.label(trace.edge(step)[0])
    return text_of(partial(node if output is None else trace.label(output), node))


def local_text(trace: Trace, step: int) -> str:
    """`1 − t²`: the local derivative; empty where it is no formula."""
    node, _, position = trace.edge(step)
    explains = trace.can(Explains, node)
    if isinstance(explains, Missing) or position < 0:
        return ""
    local = explains.local(node, position)
    if local is None and not has_array(trace, node):
        local = explains.product(node, position)
    return "" if local is None else text_of(local.tree(trace.label, {"g": Text("1")}))
