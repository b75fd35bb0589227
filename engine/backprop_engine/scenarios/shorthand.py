"""The one-line form of a scenario: `x=2, y=x**2+3x+1`.

Here, and only here, a statement whose right side is a signed number or a list of them gives an
input; every other one computes.
"""

from __future__ import annotations

from backprop_engine.expressions.excerpt import Excerpt
from backprop_engine.expressions.parser import parse_program
from backprop_engine.expressions.syntax import (
    Assignment,
    Expression,
    Number,
    Sequence,
    Unary,
    children,
    postorder,
)
from backprop_engine.scenarios.arrays import nested_array
from backprop_engine.scenarios.scenario import Backward, Input, Scenario
from backprop_engine.source import ProblemError, Span
from backprop_engine.values import Value, settle


def read_shorthand(excerpt: Excerpt) -> Scenario:
    """The scenario in a text.

    Raises ScenarioError for what is no statement, ProblemError for an input given twice or an
    array that is none, and where nothing is computed.
    """
    inputs: dict[str, Input] = {}
    statements: list[Assignment] = []
    computed: set[str] = set()
    for statement in parse_program(excerpt, shorthand=True):
        name, span = statement.name, statement.name_span
        if not _is_literal(statement.expression):
            statements.append(statement)
            computed.add(name)
        elif name in inputs:
            raise ProblemError(f"the input `{name}` is given twice", span, fix="keep one of them")
        elif name in computed:
            raise ProblemError(
                f"`{name}` is computed already, and a number of its own would make it an input",
                span,
                fix="use another name",
            )
        else:
            inputs[name] = Input(name, _value(statement.expression), True, span)
    if not statements:
        end = excerpt.offsets[len(excerpt.text.rstrip())]
        raise ProblemError(
            "nothing is computed here", Span(end, end), fix="add a statement such as `y = x**2`"
        )
    last = statements[-1]
    passes = (Backward(last.name, None, last.name_span),)
    return Scenario(excerpt.source, tuple(inputs.values()), tuple(statements), passes)


def _is_literal(expression: Expression) -> bool:
    """Whether it is a number, a signed number, or a list of such to any depth."""
    for part in postorder(expression):
        is_signed = isinstance(part, Unary) and isinstance(part.operand, Number)
        if not (is_signed or isinstance(part, Number | Sequence)):
            return False
    return True


def _value(expression: Expression) -> Value:
    return settle(nested_array(expression, _items, _element, "float64"), "float64")


def _items(expression: Expression) -> tuple[Expression, ...] | None:
    return children(expression) if isinstance(expression, Sequence) else None


def _element(expression: Expression) -> float:
    """The value of a signed number."""
    match expression:
        case Unary(symbol="-", operand=Number(value=value)):
            return -float(value)
        case Unary(operand=Number(value=value)) | Number(value=value):
            return float(value)
        case _:
            raise ProblemError("a list stands where the first row has a number", expression.span)
