"""Conditions on a step: `abs(contribution) > 10`, in the expression language of scenarios.

A condition speaks of what a step does, by the names in `MEANINGS`. What a step does not have is
unknown there, and a condition that hangs on something unknown does not hold.
"""

from __future__ import annotations

from collections.abc import Hashable
from functools import lru_cache
from typing import Final

import numpy as np

from backprop_engine.basics.source import ProblemError, Source
from backprop_engine.basics.values import Known, Value, settle
from backprop_engine.budget import check_length
from backprop_engine.grammar import syntax
from backprop_engine.grammar.excerpt import whole
from backprop_engine.grammar.parser import parse_expression
from backprop_engine.grammar.syntax import Expression
from backprop_engine.reading.formula import (
    Formula,
    among,
    as_asked,
    compile_formula,
    normed,
    with_norms,
)
from backprop_engine.reading.local_derivatives import local_derivative
from backprop_engine.trace import Step, StepKind, Trace

MEANINGS: Final = {
    "value": "the value of the node that the step computes, seeds or sends to",
    "grad": "that node's gradient after the step: the sum of what it has received in this pass",
    "upstream": "the gradient of the node that sends, complete by then",
    "local": "the local derivative of the node that sends by the operand it sends to",
    "contribution": "what is sent: upstream times local; of a seed, the seed",
    "step": "the number of the step, from 0",
}
"""What each name means; `HELP` says at which kinds of step it is known."""

_plain: Final = among(MEANINGS)

HELP: Final = (
    "A condition is an expression over value, grad, upstream, local, contribution and step: "
    "abs(contribution) > 10, isnan(grad), (grad == 0) & (value < 0). "
    "value and grad are those of the node that the step computes, seeds or sends to, grad as the "
    "step leaves it; of a breakpoint on a node they are that node's own. "
    "A forward step knows value and step; a seed also grad and contribution; a contribution all "
    "six, but local only where elements do not mix. What a step does not know makes the "
    "condition false there, but a | b takes the side that is known. ‖grad‖, or norm(grad), is a "
    "norm, and known of a summary. Of an array, one element "
    "that fulfils it is enough; all(grad > 0) asks for every one."
)
"""For the help of whoever asks for a condition."""


@lru_cache(maxsize=256)
def compile_condition(text: str) -> Formula:
    """The condition that `text` is. Raises ProblemError, with places in `text`."""
    check_length(text)
    try:
        excerpt = with_norms(whole(Source("condition", text)))
        root = parse_expression(excerpt, variables=frozenset(MEANINGS))
    except ProblemError as error:
        raise _of_a_condition(error, text) from None
    return compile_formula(text, root, _name, MEANINGS)


def _of_a_condition(error: ProblemError, text: str) -> ProblemError:
    """What is said of a program's statement, said of a condition."""
    span = error.problem.span
    written = text[span.start : span.stop]
    if written == "=":
        return ProblemError("`=` does not compare", span, fix="write `==`")
    if "chain" in error.problem.message and set("&|") & set(written):
        return ProblemError(
            "`&` and `|` bind tighter than a comparison",
            span,
            fix="put each comparison in brackets: `(grad > 1) & (value < 2)`",
        )
    return error


def _name(expression: Expression) -> Hashable | None:
    inner = normed(expression)
    if isinstance(inner, syntax.Name):
        return f"‖{_plain(inner)}‖"
    return _plain(expression)


def quantity(trace: Trace, index: int, name: str, subject: int | None = None) -> Value | None:
    """What `name`, one of `MEANINGS` or `‖name‖`, is at step `index`; None where there is none.

    `subject` is the node whose value and gradient are meant: None for the one the step changes.
    """
    if name == "step":
        return settle(float(index), trace.dtype)
    step = trace.step(index)
    if step.node is None:
        return None
    found = _known(trace, step, name.strip("‖"), subject)
    return as_asked(found, is_norm=name.startswith("‖"))


def _known(trace: Trace, step: Step, name: str, subject: int | None) -> Known | None:
    index = step.index
    if step.node is None:
        return None
    changed = step.operand if step.kind is StepKind.CONTRIBUTION else step.node
    node = changed if subject is None else subject
    if node is None:
        raise ValueError(f"step {index} sends to no node")
    match name:
        case "value":
            return trace.nodes.value[node] if trace.is_computed(node, index + 1) else None
        case "grad":
            if step.kind is StepKind.FORWARD:
                return None
            return trace.totals[index] if node == changed else trace.gradient(node, index + 1)
        case "contribution":
            return trace.contributions[index]
        case _ if step.kind is not StepKind.CONTRIBUTION:
            return None
        case "upstream":
            return trace.gradient(step.node, index)
        case _:
            return local_derivative(trace, index)


def is_true(result: Value | None) -> bool:
    """Whether a condition that comes to `result` holds: not where unknown; any element will do."""
    return result is not None and bool(np.any(result))


def holds(condition: Formula, trace: Trace, index: int, subject: int | None = None) -> bool:
    """Whether `condition` holds at step `index`. Raises OperandError where shapes do not fit."""
    return is_true(condition.value(lambda name: quantity(trace, index, name, subject)))
