"""Statements and expressions as syntax trees.

The grammar is `grammar.lark` (see grammar.py); the parser is table-driven (LALR) and builds the
tree as it goes, so that neither depth nor length of an expression matters.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from functools import cache
from typing import Any, Final, NamedTuple, cast

from lark import Lark, Token, Transformer, UnexpectedToken, v_args

from backprop_engine.basics.gc_pause import collector_paused
from backprop_engine.basics.limits import MAX_NESTING
from backprop_engine.basics.source import Span
from backprop_engine.grammar import mistakes, syntax
from backprop_engine.grammar.diagnosis import unexpected
from backprop_engine.grammar.excerpt import Excerpt
from backprop_engine.grammar.lexer import LITERALS, canonical
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
    return cast("_Part", _parse(reading, "lone_expression")).expression


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


class _Part(NamedTuple):
    """An expression and what it takes up with the brackets around it."""

    expression: syntax.Expression
    start: int
    stop: int
    right: int | None = None
    """Of a comparison without brackets: where its right side starts."""
    depth: int = 0
    """Of a list: how many lists are inside one another."""


class _ChainedError(Exception):
    """`0 < x < 1`, seen where its text is not at hand."""

    def __init__(self, first: Span, second: Span) -> None:
        super().__init__()
        self.first = first
        self.second = second


class _Clause(NamedTuple):
    """`for target in iterable` of a comprehension."""

    start: int
    target: syntax.Target
    iterable: _Part


class _Keyword(NamedTuple):
    """`name=value` among the arguments of a call."""

    name: Token
    value: _Part


def _flat(lines: list[syntax.Statement | list[syntax.Statement]]) -> Iterator[syntax.Statement]:
    for line in lines:
        if isinstance(line, list):
            yield from line
        else:
            yield line


def _span(token: Token) -> Span:
    return Span(cast("int", token.start_pos), cast("int", token.end_pos))


def _leaf(expression: syntax.Expression) -> _Part:
    return _Part(expression, expression.span.start, expression.span.stop)


def _number(text: str) -> float | int:
    digits = text.replace("_", "")
    return int(digits) if digits.isdigit() and len(digits) < _INTEGER_DIGITS else float(digits)


class _Builder(Transformer[Token, Any]):
    """One method for each rule of the grammar: parts in, the larger part out."""

    def program(
        self, lines: list[syntax.Statement | list[syntax.Statement]]
    ) -> tuple[syntax.Statement, ...]:
        return tuple(_flat(lines))

    def block(
        self, lines: list[syntax.Statement | list[syntax.Statement]]
    ) -> list[syntax.Statement]:
        return [syntax.not_recorded(line) for line in _flat(lines)]

    def loop(self, parts: list[Any]) -> syntax.Loop:
        sign, target, iterable, *lines = parts
        span = Span(_span(sign).start, iterable.stop)
        return syntax.Loop(target.expression, iterable.expression, tuple(_flat(lines)), span)

    def target(self, places: list[_Part]) -> _Part:
        """Names that a loop assigns; more than one are a Sequence."""
        return self.values(places)

    def clause(self, parts: list[Any]) -> _Clause:
        sign, target, iterable = parts
        return _Clause(_span(sign).start, target.expression, iterable)

    def comprehension(self, parts: list[Any]) -> _Part:
        left, item, *clauses, right = parts
        made = _comprehension(item, clauses)
        return _Part(made, _span(left).start, _span(right).stop)

    def generator(self, parts: list[Any]) -> list[_Part | _Keyword]:
        item, *clauses = parts
        return [_leaf(_comprehension(item, clauses))]

    @v_args(inline=True)
    def lone_expression(self, part: _Part) -> _Part:
        return part

    @v_args(inline=True)
    def assign(self, name: Token, _: Token, value: _Part) -> syntax.Assignment:
        span = Span(_span(name).start, value.stop)
        return syntax.Assignment(canonical(name), value.expression, _span(name), span)

    @v_args(inline=True)
    def augment(self, name: Token, sign: Token, value: _Part) -> syntax.Assignment:
        span = Span(_span(name).start, value.stop)
        before = syntax.Name(canonical(name), _span(name))
        return syntax.Assignment(
            before.name, _changed(before, sign, value, span), before.span, span
        )

    @v_args(inline=True)
    def put(
        self,
        receiver: _Part,
        left: Token,
        items: tuple[syntax.Expression, ...],
        right: Token,
        _: Token,
        value: _Part,
    ) -> syntax.Assignment:
        place = self.subscript(receiver, left, items, right).expression
        span = Span(receiver.start, value.stop)
        return _putting(syntax.Put(place, value.expression, span))

    @v_args(inline=True)
    def augment_item(
        self,
        receiver: _Part,
        left: Token,
        items: tuple[syntax.Expression, ...],
        right: Token,
        sign: Token,
        value: _Part,
    ) -> syntax.Assignment:
        place = self.subscript(receiver, left, items, right).expression
        span = Span(receiver.start, value.stop)
        changed = _changed(place, sign, value, span)
        return _putting(syntax.Put(place, changed, span, writes_back=True))

    def names(self, tokens: list[Token]) -> tuple[syntax.Name, ...]:
        return tuple(syntax.Name(canonical(token), _span(token)) for token in tokens)

    def values(self, parts: list[_Part]) -> _Part:
        if len(parts) == 1:
            return parts[0]
        span = Span(parts[0].start, parts[-1].stop)
        return _leaf(syntax.Sequence(tuple(part.expression for part in parts), span, is_tuple=True))

    @v_args(inline=True)
    def unpack(
        self, left: tuple[syntax.Name, ...] | _Part, _: Token, value: _Part
    ) -> syntax.Unpacking:
        targets = _targets(left) if isinstance(left, _Part) else left
        start = left.start if isinstance(left, _Part) else left[0].span.start
        return syntax.Unpacking(targets, value.expression, Span(start, value.stop))

    @v_args(inline=True)
    def setting(
        self, receiver: _Part, name: Token, _: Token, value: _Part | Token
    ) -> syntax.Setting:
        part = self.literal(value) if isinstance(value, Token) else value
        return syntax.Setting(self.attribute(receiver, name).expression, part.expression)

    @v_args(inline=True)
    def action(
        self, receiver: _Part, name: Token, left: Token, arguments: list[Any], right: Token
    ) -> syntax.Action:
        return syntax.Action(self.method(receiver, name, left, arguments, right).expression)

    @v_args(inline=True)
    def library_action(
        self, dotted: Token, left: Token, arguments: list[Any], right: Token
    ) -> syntax.Action:
        return syntax.Action(self.library_call(dotted, left, arguments, right).expression)

    @v_args(inline=True)
    def binary(self, left: _Part, sign: Token, right: _Part) -> _Part:
        span = Span(left.start, right.stop)
        if sign == "@" and isinstance(right.expression, syntax.Number):
            raise mistakes.number_as_matrix(right.expression.span)
        return _leaf(syntax.Binary(str(sign), left.expression, right.expression, span))

    @v_args(inline=True)
    def comparison(self, left: _Part, sign: Token, right: _Part) -> _Part:
        if left.right is not None:
            raise _ChainedError(Span(left.start, left.stop), Span(left.right, right.stop))
        span = Span(left.start, right.stop)
        compared = syntax.Binary(str(sign), left.expression, right.expression, span)
        return _Part(compared, span.start, span.stop, right.start)

    @v_args(inline=True)
    def unary(self, sign: Token, operand: _Part) -> _Part:
        span = Span(_span(sign).start, operand.stop)
        return _leaf(syntax.Unary(str(sign), operand.expression, span))

    @v_args(inline=True)
    def number(self, token: Token) -> _Part:
        return _leaf(syntax.Number(_number(token), _span(token)))

    @v_args(inline=True)
    def name(self, token: Token) -> _Part:
        return _leaf(syntax.Name(canonical(token), _span(token)))

    @v_args(inline=True)
    def constant(self, token: Token) -> _Part:
        prefix, _, name = "".join(token.split()).rpartition(".")
        if prefix == "torch" and name in DTYPES:
            return _leaf(syntax.DtypeName(DTYPES[name], _span(token)))
        if name in CONSTANTS:
            return _leaf(syntax.Number(CONSTANTS[name], _span(token)))
        return _leaf(syntax.FunctionName(canonical(name), prefix, _span(token)))

    @v_args(inline=True)
    def literal(self, token: Token) -> _Part:
        value = LITERALS[token] if token in LITERALS else token[1 : token.index(token[0], 1)]
        return _leaf(syntax.Literal(value, _span(token)))

    @v_args(inline=True)
    def dots(self, token: Token) -> _Part:
        return _leaf(syntax.Dots(_span(token)))

    @v_args(inline=True)
    def group(self, left: Token, inner: _Part, right: Token) -> _Part:
        return _Part(inner.expression, _span(left).start, _span(right).stop, depth=inner.depth)

    @v_args(inline=True)
    def star(self, sign: Token, value: _Part) -> _Part:
        return _leaf(syntax.Star(value.expression, Span(_span(sign).start, value.stop)))

    def sequence(self, children: list[Any]) -> _Part:
        span = Span(_span(children[0]).start, _span(children[-1]).stop)
        parts: list[_Part] = children[1:-1]
        depth = 1 + max((part.depth for part in parts), default=0)
        if depth > MAX_NESTING:
            raise mistakes.nested_too_deep(span, MAX_NESTING)
        is_tuple = children[0] == "("
        made = syntax.Sequence(tuple(part.expression for part in parts), span, is_tuple)
        return _leaf(made)._replace(depth=depth)

    @v_args(inline=True)
    def keyword(self, name: Token, _: Token, value: _Part | Token) -> _Keyword:
        part = self.literal(value) if isinstance(value, Token) else value
        return _Keyword(name, part)

    def arguments(self, children: list[_Part | _Keyword]) -> list[_Part | _Keyword]:
        return children

    @v_args(inline=True)
    def call(self, name: Token, _: Token, arguments: list[_Part | _Keyword], right: Token) -> _Part:
        return _call(canonical(name), None, "", arguments, _span(name), _span(name).start, right)

    @v_args(inline=True)
    def library_call(
        self, dotted: Token, _: Token, arguments: list[_Part | _Keyword], right: Token
    ) -> _Part:
        prefix, _dot, last = "".join(dotted.split()).rpartition(".")
        span = _span(dotted)
        function_span = Span(span.stop - len(last), span.stop)
        return _call(canonical(last), None, prefix, arguments, function_span, span.start, right)

    @v_args(inline=True)
    def method(
        self, receiver: _Part, name: Token, _: Token, arguments: list[Any], right: Token
    ) -> _Part:
        inner = receiver.expression
        return _call(canonical(name), inner, "", arguments, _span(name), receiver.start, right)

    @v_args(inline=True)
    def application(self, receiver: _Part, _: Token, arguments: list[Any], right: Token) -> _Part:
        """`nn.ReLU()(x)`, which to torch is `nn.ReLU().forward(x)`."""
        made = receiver.expression
        return _call("forward", made, "", arguments, made.span, receiver.start, right)

    @v_args(inline=True)
    def attribute(self, receiver: _Part, name: Token) -> _Part:
        span = Span(receiver.start, _span(name).stop)
        return _leaf(syntax.Attribute(receiver.expression, canonical(name), _span(name), span))

    @v_args(inline=True)
    def subscript(
        self, receiver: _Part, _: Token, items: tuple[syntax.Expression, ...], right: Token
    ) -> _Part:
        span = Span(receiver.start, _span(right).stop)
        return _leaf(syntax.Subscript(receiver.expression, items, span))

    def items(self, parts: list[_Part]) -> tuple[syntax.Expression, ...]:
        return tuple(part.expression for part in parts)

    def bound(self, parts: list[_Part]) -> _Part | None:
        return parts[0] if parts else None

    def slice(self, children: list[Any]) -> _Part:
        bounds: list[_Part | None] = [part for part in children if not isinstance(part, Token)]
        first, last = (
            children[0] or children[1],
            children[-1] or children[-2],
        )
        start = _span(first).start if isinstance(first, Token) else first.start
        stop = _span(last).stop if isinstance(last, Token) else last.stop
        parts = [None if part is None else part.expression for part in bounds]
        step = parts[2] if len(parts) > 2 else None
        return _leaf(syntax.Slice(parts[0], parts[1], step, Span(start, stop)))


def _changed(before: syntax.Expression, sign: Token, value: _Part, span: Span) -> syntax.Binary:
    """What `before += value` leaves; torch has no `@=` of its own, and makes a new value."""
    symbol = sign.removesuffix("=")
    return syntax.Binary(symbol, before, value.expression, span, in_place=symbol != "@")


def _putting(put: syntax.Put) -> syntax.Assignment:
    """`y[0] = v`, which gives a name a new version, and any other value a new one."""
    receiver = put.place.receiver
    if isinstance(receiver, syntax.Name):
        return syntax.Assignment(receiver.name, put, receiver.span, put.span)
    return syntax.Assignment("", put, put.span, put.span)


def _comprehension(item: _Part, clauses: list[_Clause]) -> syntax.Expression:
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


def _targets(part: _Part) -> tuple[syntax.Name, ...]:
    """The names in `(a, b) = …` or `[a, b] = …`."""
    names = syntax.children(part.expression)
    for name in names:
        if not isinstance(name, syntax.Name):
            raise mistakes.no_target(name.span)
    if not names:
        raise mistakes.no_target(part.expression.span)
    return cast("tuple[syntax.Name, ...]", names)


def _call(
    function: str,
    receiver: syntax.Expression | None,
    prefix: str,
    arguments: list[_Part | _Keyword],
    function_span: Span,
    start: int,
    right: Token,
) -> _Part:
    positional: list[syntax.Expression] = []
    keywords: list[tuple[str, syntax.Expression]] = []
    places: dict[str, Span] = {}
    for argument in arguments:
        if isinstance(argument, _Part):
            if keywords:
                raise mistakes.positional_after_keyword(argument.expression.span)
            positional.append(argument.expression)
        elif argument.name in dict(keywords):
            raise mistakes.repeated_keyword(argument.name, _span(argument.name))
        else:
            keywords.append((str(argument.name), argument.value.expression))
            places[str(argument.name)] = _span(argument.name)
    span = Span(start, _span(right).stop)
    words = (tuple(positional), tuple(keywords))
    return _leaf(syntax.Call(function, receiver, prefix, *words, function_span, span, places))
