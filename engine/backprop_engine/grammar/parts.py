"""What the parser builds syntax trees from, and how the larger parts are put together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, cast

from lark import Token

from backprop_engine.basics.source import Span
from backprop_engine.grammar import mistakes, syntax


class Part(NamedTuple):
    """An expression and what it takes up with the brackets around it."""

    expression: syntax.Expression
    start: int
    stop: int
    right: int | None = None
    """Of a comparison without brackets: where its right side starts."""
    depth: int = 0
    """Of a list: how many lists are inside one another."""


class Clause(NamedTuple):
    """`for target in iterable` of a comprehension."""

    start: int
    target: syntax.Target
    iterable: Part


class Keyword(NamedTuple):
    """`name=value` among the arguments of a call."""

    name: Token
    value: Part


def span_of(token: Token) -> Span:
    """Where a token stands."""
    return Span(cast("int", token.start_pos), cast("int", token.end_pos))


def leaf(expression: syntax.Expression) -> Part:
    """An expression without brackets around it."""
    return Part(expression, expression.span.start, expression.span.stop)


def changed(before: syntax.Expression, sign: Token, value: Part, span: Span) -> syntax.Binary:
    """What `before += value` leaves; torch has no `@=` of its own, and makes a new value."""
    symbol = sign.removesuffix("=")
    return syntax.Binary(symbol, before, value.expression, span, in_place=symbol != "@")


def putting(put: syntax.Put) -> syntax.Assignment:
    """`y[0] = v`, which gives a name a new version, and any other value a new one."""
    receiver = put.place.receiver
    if isinstance(receiver, syntax.Name):
        return syntax.Assignment(receiver.name, put, receiver.span, put.span)
    return syntax.Assignment("", put, put.span, put.span)


def comprehension_of(item: Part, clauses: Sequence[Clause]) -> syntax.Expression:
    """The first clause is the outermost loop."""
    made, stop = item.expression, clauses[-1].iterable.stop
    for number, clause in reversed(list(enumerate(clauses))):
        is_innermost = number == len(clauses) - 1
        start = item.start if number == 0 else clause.start
        iterable = clause.iterable.expression
        made = syntax.Comprehension(
            made, clause.target, iterable, Span(start, stop), not is_innermost
        )
    return made


def targets_of(part: Part) -> tuple[syntax.Name, ...]:
    """The names in `(a, b) = …` or `[a, b] = …`."""
    names = syntax.children(part.expression)
    for name in names:
        if not isinstance(name, syntax.Name):
            raise mistakes.no_target(name.span)
    if not names:
        raise mistakes.no_target(part.expression.span)
    return cast("tuple[syntax.Name, ...]", names)


def call_of(
    function: str,
    receiver: syntax.Expression | None,
    prefix: str,
    arguments: list[Part | Keyword],
    function_span: Span,
    start: int,
    right: Token,
) -> Part:
    """A call, its arguments told apart; ProblemError where their order is wrong."""
    positional: list[syntax.Expression] = []
    keywords: list[tuple[str, syntax.Expression]] = []
    places: dict[str, Span] = {}
    for argument in arguments:
        if isinstance(argument, Part):
            if keywords:
                raise mistakes.positional_after_keyword(argument.expression.span)
            positional.append(argument.expression)
        elif argument.name in dict(keywords):
            raise mistakes.repeated_keyword(argument.name, span_of(argument.name))
        else:
            keywords.append((str(argument.name), argument.value.expression))
            places[str(argument.name)] = span_of(argument.name)
    span = Span(start, span_of(right).stop)
    words = (tuple(positional), tuple(keywords))
    return leaf(syntax.Call(function, receiver, prefix, *words, function_span, span, places))
