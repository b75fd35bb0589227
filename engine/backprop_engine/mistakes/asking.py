"""A question in words: what is asked, three hints that tell ever more, and the right answer."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from backprop_engine.basics import notation
from backprop_engine.basics.values import Known
from backprop_engine.mathematics.text import text_of
from backprop_engine.mathematics.tree import Text, Tree, run_on
from backprop_engine.mistakes.questions import Asked, Question
from backprop_engine.mistakes.table import ONE_PATH
from backprop_engine.mistakes.wording import told, upstream_name
from backprop_engine.reading.explain import explain, expression
from backprop_engine.reading.local_derivatives import has_array
from backprop_engine.trace import Missing, Trace
from backprop_engine.trace.abilities import Explains

_HOLE = "?"
_ANSWER, _UPSTREAM = 60, 24
"""Cells of an array."""


def asked_text(trace: Trace, question: Question) -> str:
    """`∂y/∂%2 = 0.1966 · %2 = w1·x1 sends to x1`."""
    node, operand, _ = trace.edge(question.step)
    label, to = trace.label(node), trace.label(operand)
    upstream = f"{upstream_name(trace, question.step)} = {_upstream(trace, question)}"
    if question.asked is Asked.CONTRIBUTION:
        return f"{upstream} · {label} = {expression(trace, node)} sends to {to}"
    before = notation.short(_held(trace, question))
    return f"{to} has {before} · {label} = {expression(trace, node)} adds {upstream} · the sum?"


def known(trace: Trace, question: Question) -> list[tuple[str, Known | None]]:
    """What an answer is made of, by its name: the upstream gradient, the sender, its operands."""
    node, _, _ = trace.edge(question.step)
    parts = dict.fromkeys((node, *trace.nodes.operands[node]))
    named = (each for each in parts if not trace.is_leaf(each) or each in trace.nodes.names)
    return [
        (upstream_name(trace, question.step), trace.gradient(node, question.step)),
        *((trace.label(each), trace.nodes.value[each]) for each in named),
    ]


def how_made(trace: Trace, receiver: int) -> str:
    """` = x²` for one without a name of its own: `%1` means nothing to who meets it."""
    if receiver in trace.nodes.names or trace.is_leaf(receiver):
        return ""
    return f" = {expression(trace, receiver)}"


def answer_text(trace: Trace, question: Question) -> str:
    """`%2 sends 0.059 to x1`."""
    node, operand, _ = trace.edge(question.step)
    right = _in_cells(question.right(trace), _ANSWER)
    if question.asked is Asked.SUM:
        return f"the sum for {trace.label(operand)} is {right}"
    return f"{trace.label(node)} sends {right} to {trace.label(operand)}"


def hints(trace: Trace, question: Question) -> tuple[str, str, str]:
    """The rule in words; the algebra with holes; the numbers of the run put in, of arrays their
    names and shapes.
    """
    node, _, position = trace.edge(question.step)
    if question.asked is Asked.SUM:
        sent = notation.in_brackets(_upstream(trace, question))
        before = notation.short(_held(trace, question))
        return told(ONE_PATH, trace, question.step), "? + ?", f"{before} + {sent}"
    explains = trace.can(Explains, node)
    if isinstance(explains, Missing):
        return (explains.sentence,) * 3
    is_array = has_array(trace, node)
    with_holes = _sent(trace, question, lambda each: _hole(trace, each), _HOLE, is_array=is_array)
    if is_array:
        explanation = explain(trace, question.step)
        filled = " · ".join((text_of(explanation.vjp), *explanation.notes[:2])).strip(" ·")
    else:
        upstream = _upstream(trace, question)
        filled = _sent(trace, question, lambda each: _figure(trace, each), upstream)
    return explains.why(node, position), with_holes, filled


def _sent(
    trace: Trace,
    question: Question,
    name: Callable[[int], str],
    upstream: str,
    *,
    is_array: bool = False,
) -> str:
    """Upstream × local, or the product, with `name` for the nodes in it."""
    node, _, position = trace.edge(question.step)
    explains = trace.can(Explains, node)
    if isinstance(explains, Missing):
        return ""
    given: dict[str, Tree] = {"g": Text(upstream)}
    local, product = explains.local(node, position), explains.product(node, position)
    if local is not None:
        sign = " ⊙ " if is_array else " × "
        return text_of(run_on(Text(upstream), sign, local.tree(name, is_roomy=True)))
    return "" if product is None else text_of(product.tree(name, given, is_roomy=True))


def _hole(trace: Trace, node: int) -> str:
    """A number that is written out, as an exponent is, belongs to the rule."""
    is_literal = trace.is_leaf(node) and node not in trace.nodes.names
    return trace.label(node) if is_literal else _HOLE


def _figure(trace: Trace, node: int) -> str:
    return notation.short(trace.nodes.value[node])


def _upstream(trace: Trace, question: Question) -> str:
    gradient = trace.gradient(trace.edge(question.step)[0], question.step)
    return "" if gradient is None else _in_cells(gradient, _UPSTREAM)


def _in_cells(value: Known, width: int) -> str:
    """A number; an array as numbers where they fit, else as a picture."""
    listed = notation.listed(value, width) if isinstance(value, np.ndarray) else ""
    return listed or notation.short(value)


def _held(trace: Trace, question: Question) -> Known:
    held = trace.gradient(trace.edge(question.step)[1], question.step)
    if held is None:
        raise ValueError(f"nothing has come before step {question.step}")
    return held
