"""Statements and expressions as syntax trees.

The grammar is `grammar.lark` (see grammar.py); the parser is table-driven (LALR) and builds the
tree as it goes, so that neither depth nor length of an expression matters.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from functools import cache
from typing import Any, Final, cast

from lark import Lark, Token, Transformer, UnexpectedToken, v_args

from backprop_engine.basics.gc_pause import collector_paused
from backprop_engine.basics.limits import MAX_NESTING
from backprop_engine.basics.source import Span
from backprop_engine.grammar import mistakes, syntax
from backprop_engine.grammar.diagnosis import unexpected
from backprop_engine.grammar.excerpt import Excerpt
from backprop_engine.grammar.lexer import LITERALS, canonical
from backprop_engine.grammar.parts import (
    Clause,
    Keyword,
    Part,
    call_of,
    changed,
    comprehension_of,
    leaf,
    putting,
    span_of,
    targets_of,
)
from backprop_engine.grammar.state import Form, Reading
from backprop_engine.grammar.table import grammar_parser

CONSTANTS: Final = {
    "pi": math.pi,
    "e": math.e,
    "tau": math.tau,
    "inf": math.inf,
    "nan": math.nan,
}
"""What may follow a module's name and a dot without being called."""

DTYPES: Final = {
    "float64": "float64",
    "double": "float64",
    "float32": "float32",
    "float": "float32",
    "int64": "int64",
    "long": "int64",
    "bool": "bool",
}
"""Torch's names of the dtypes a tensor can have here."""

_INTEGER_DIGITS = 300  # any longer and it is beyond float64 anyway


def parse_program(
    excerpt: Excerpt, *, shorthand: bool = False, variables: frozenset[str] = frozenset()
) -> tuple[syntax.Statement, ...]:
    """The statements of a text; `import` and `print` lines are read over.

    With `shorthand`, commas outside of brackets separate statements too. `variables` are names
    to be read as variables even where they look like a module's, as in `F.sum()`.
    Raises ProblemError for the first mistake in the text.
    """
    form: Form = "shorthand" if shorthand else "statements"
    reading = Reading(excerpt, form, variables)
    return cast("tuple[syntax.Statement, ...]", _parse(reading, "program"))


def parse_expression(
    excerpt: Excerpt, *, variables: AbstractSet[str] = frozenset()
) -> syntax.Expression:
    """The one expression that a text is. Raises ProblemError for the first mistake in it."""
    reading = Reading(excerpt, "expression", variables)
    return cast("Part", _parse(reading, "lone_expression")).expression


def _parse(reading: Reading, start: str) -> Any:
    try:
        with collector_paused():
            # lark hands anything that is no text on to a lexer of one's own, but is typed `str`
            return _parser().parse(cast("str", reading), start=start)
    except _ChainedError as chain:
        raise mistakes.chained(reading.excerpt.source, chain.first, chain.second) from None
    except UnexpectedToken as refused:
        raise unexpected(reading, refused.expected) from None


@cache
def _parser() -> Lark:
    return grammar_parser(_Builder())


class _ChainedError(Exception):
    """`0 < x < 1`, seen where its text is not at hand."""

    def __init__(self, first: Span, second: Span) -> None:
        super().__init__()
        self.first = first
        self.second = second


_Line = syntax.Statement | list[syntax.Statement]
"""A statement, or those of a block."""


def _flat(lines: Iterable[_Line]) -> Iterator[syntax.Statement]:
    for line in lines:
        if isinstance(line, list):
            yield from line
        else:
            yield line


def _number(text: str) -> float | int:
    digits = text.replace("_", "")
    return int(digits) if digits.isdigit() and len(digits) < _INTEGER_DIGITS else float(digits)


@v_args(inline=True)
class _Builder(Transformer[Token, Any]):
    """One method for each rule of the grammar: parts in, the larger part out."""

    def program(self, *lines: _Line) -> tuple[syntax.Statement, ...]:
        return tuple(_flat(lines))

    def block(self, *lines: _Line) -> list[syntax.Statement]:
        return [syntax.not_recorded(line) for line in _flat(lines)]

    def loop(self, sign: Token, target: Any, iterable: Part, *lines: _Line) -> syntax.Loop:
        span = Span(span_of(sign).start, iterable.stop)
        return syntax.Loop(target.expression, iterable.expression, tuple(_flat(lines)), span)

    def clause(self, sign: Token, target: Any, iterable: Part) -> Clause:
        return Clause(span_of(sign).start, target.expression, iterable)

    def comprehension(self, left: Token, item: Part, *rest: Any) -> Part:
        *clauses, right = rest
        made = comprehension_of(item, clauses)
        return Part(made, span_of(left).start, span_of(right).stop)

    def generator(self, item: Part, *clauses: Clause) -> list[Part | Keyword]:
        return [leaf(comprehension_of(item, clauses))]

    def lone_expression(self, part: Part) -> Part:
        return part

    def assign(self, name: Token, sign: Token, value: Part) -> syntax.Assignment:
        span = Span(span_of(name).start, value.stop)
        before = syntax.Name(canonical(name), span_of(name))
        made = value.expression if sign == "=" else changed(before, sign, value, span)
        return syntax.Assignment(before.name, made, before.span, span)

    augment = assign

    def put(
        self,
        receiver: Part,
        left: Token,
        items: tuple[syntax.Expression, ...],
        right: Token,
        sign: Token,
        value: Part,
    ) -> syntax.Assignment:
        place: Any = self.subscript(receiver, left, items, right).expression
        span = Span(receiver.start, value.stop)
        if sign == "=":
            return putting(syntax.Put(place, value.expression, span))
        after = changed(place, sign, value, span)
        return putting(syntax.Put(place, after, span, writes_back=True))

    augment_item = put

    def names(self, *tokens: Token) -> tuple[syntax.Name, ...]:
        return tuple(syntax.Name(canonical(token), span_of(token)) for token in tokens)

    def values(self, *parts: Part) -> Part:
        """Expressions that are assigned; more than one are a Sequence."""
        if len(parts) == 1:
            return parts[0]
        span = Span(parts[0].start, parts[-1].stop)
        return leaf(syntax.Sequence(tuple(part.expression for part in parts), span, is_tuple=True))

    target = values  # the names that a loop assigns

    def unpack(
        self, left: tuple[syntax.Name, ...] | Part, _: Token, value: Part
    ) -> syntax.Unpacking:
        targets = targets_of(left) if isinstance(left, Part) else left
        start = left.start if isinstance(left, Part) else left[0].span.start
        return syntax.Unpacking(targets, value.expression, Span(start, value.stop))

    def setting(self, receiver: Part, name: Token, _: Token, value: Part | Token) -> syntax.Setting:
        part = self.literal(value) if isinstance(value, Token) else value
        place: Any = self.attribute(receiver, name).expression
        return syntax.Setting(place, part.expression)

    def augment_setting(
        self, receiver: Part, name: Token, sign: Token, value: Part
    ) -> syntax.Assignment:
        span = Span(receiver.start, value.stop)
        before = self.attribute(receiver, name).expression
        return syntax.Assignment("", changed(before, sign, value, span), span, span)

    def action(
        self, receiver: Part, name: Token, left: Token, arguments: list[Any], right: Token
    ) -> syntax.Action:
        call: Any = self.method(receiver, name, left, arguments, right).expression
        return syntax.Action(call)

    def library_action(
        self, dotted: Token, left: Token, arguments: list[Any], right: Token
    ) -> syntax.Action:
        call: Any = self.library_call(dotted, left, arguments, right).expression
        return syntax.Action(call)

    def binary(self, left: Part, sign: Token, right: Part) -> Part:
        span = Span(left.start, right.stop)
        if sign == "@" and isinstance(right.expression, syntax.Number):
            raise mistakes.number_as_matrix(right.expression.span)
        return leaf(syntax.Binary(str(sign), left.expression, right.expression, span))

    def comparison(self, left: Part, sign: Token, right: Part) -> Part:
        if left.right is not None:
            raise _ChainedError(Span(left.start, left.stop), Span(left.right, right.stop))
        span = Span(left.start, right.stop)
        compared = syntax.Binary(str(sign), left.expression, right.expression, span)
        return Part(compared, span.start, span.stop, right.start)

    def unary(self, sign: Token, operand: Part) -> Part:
        span = Span(span_of(sign).start, operand.stop)
        return leaf(syntax.Unary(str(sign), operand.expression, span))

    def number(self, token: Token) -> Part:
        return leaf(syntax.Number(_number(token), span_of(token)))

    def name(self, token: Token) -> Part:
        return leaf(syntax.Name(canonical(token), span_of(token)))

    def constant(self, token: Token) -> Part:
        prefix, _, name = "".join(token.split()).rpartition(".")
        if prefix == "torch" and name in DTYPES:
            return leaf(syntax.DtypeName(DTYPES[name], span_of(token)))
        if name in CONSTANTS:
            return leaf(syntax.Number(CONSTANTS[name], span_of(token)))
        return leaf(syntax.FunctionName(canonical(name), prefix, span_of(token)))

    def literal(self, token: Token) -> Part:
        value = LITERALS[token] if token in LITERALS else token[1 : token.index(token[0], 1)]
        return leaf(syntax.Literal(value, span_of(token)))

    def dots(self, token: Token) -> Part:
        return leaf(syntax.Dots(span_of(token)))

    def group(self, left: Token, inner: Part, right: Token) -> Part:
        return Part(inner.expression, span_of(left).start, span_of(right).stop, depth=inner.depth)

    def star(self, sign: Token, value: Part) -> Part:
        return leaf(syntax.Star(value.expression, Span(span_of(sign).start, value.stop)))

    def sequence(self, *children: Any) -> Part:
        span = Span(span_of(children[0]).start, span_of(children[-1]).stop)
        parts: Sequence[Part] = children[1:-1]
        depth = 1 + max((part.depth for part in parts), default=0)
        if depth > MAX_NESTING:
            raise mistakes.nested_too_deep(span, MAX_NESTING)
        is_tuple = children[0] == "("
        made = syntax.Sequence(tuple(part.expression for part in parts), span, is_tuple)
        return leaf(made)._replace(depth=depth)

    def keyword(self, name: Token, _: Token, value: Part | Token) -> Keyword:
        part = self.literal(value) if isinstance(value, Token) else value
        return Keyword(name, part)

    def arguments(self, *arguments: Part | Keyword) -> list[Part | Keyword]:
        return list(arguments)

    def call(self, name: Token, _: Token, arguments: list[Part | Keyword], right: Token) -> Part:
        return call_of(
            canonical(name), None, "", arguments, span_of(name), span_of(name).start, right
        )

    def library_call(
        self, dotted: Token, _: Token, arguments: list[Part | Keyword], right: Token
    ) -> Part:
        prefix, _dot, last = "".join(dotted.split()).rpartition(".")
        span = span_of(dotted)
        function_span = Span(span.stop - len(last), span.stop)
        return call_of(canonical(last), None, prefix, arguments, function_span, span.start, right)

    def method(
        self, receiver: Part, name: Token, _: Token, arguments: list[Any], right: Token
    ) -> Part:
        inner = receiver.expression
        return call_of(canonical(name), inner, "", arguments, span_of(name), receiver.start, right)

    def application(self, receiver: Part, _: Token, arguments: list[Any], right: Token) -> Part:
        """`nn.ReLU()(x)`, which to torch is `nn.ReLU().forward(x)`."""
        made = receiver.expression
        return call_of("forward", made, "", arguments, made.span, receiver.start, right)

    def attribute(self, receiver: Part, name: Token) -> Part:
        span = Span(receiver.start, span_of(name).stop)
        return leaf(syntax.Attribute(receiver.expression, canonical(name), span_of(name), span))

    def subscript(
        self, receiver: Part, _: Token, items: tuple[syntax.Expression, ...], right: Token
    ) -> Part:
        span = Span(receiver.start, span_of(right).stop)
        return leaf(syntax.Subscript(receiver.expression, items, span))

    def items(self, *parts: Part) -> tuple[syntax.Expression, ...]:
        return tuple(part.expression for part in parts)

    def bound(self, part: Part | None = None) -> Part | None:
        return part

    def slice(self, *children: Any) -> Part:
        bounds: list[Part | None] = [part for part in children if not isinstance(part, Token)]
        first, last = children[0] or children[1], children[-1] or children[-2]
        start = span_of(first).start if isinstance(first, Token) else first.start
        stop = span_of(last).stop if isinstance(last, Token) else last.stop
        parts = [None if part is None else part.expression for part in bounds]
        step = parts[2] if len(parts) > 2 else None
        return leaf(syntax.Slice(parts[0], parts[1], step, Span(start, stop)))
