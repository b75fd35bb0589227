"""The syntax tree of `compute`: plain frozen data, each node with its place in the source.

A sum of 5,000 terms is a tree 5,000 levels deep, so nothing may recurse over it;
`postorder` is the way to walk it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field, replace
from typing import TypeVar

from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.source import Span


@dataclass(frozen=True, slots=True, eq=False)
class Number:
    """A literal: `2`, `0.5`, `1e-3` (an `int` where it was written without point and exponent)."""

    value: float | int
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Literal:
    """`True`, `False`, `None` or a quoted string: only ever an argument, never a value."""

    value: bool | str | None
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class DtypeName:
    """`torch.float64` and its like: the `dtype` of a tensor that is written out."""

    name: str
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class FunctionName:
    """`torch.sin` that is not called; a name may come to stand for it."""

    function: str
    prefix: str
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Sequence:
    """A bracketed list or a tuple, of expressions: an array constant, a shape, an index."""

    items: tuple[Expression, ...]
    span: Span
    is_tuple: bool = False
    """Whether it is a tuple: as an index `x[(0, 1)]` is `x[0, 1]`, and `x[[0, 1]]` picks twice."""


@dataclass(frozen=True, slots=True, eq=False)
class Star:
    """`*parts` among arguments or in a list: its items one by one."""

    value: Expression
    span: Span
    taker: str | None = ""
    """Where no `*` is written: the function that takes a list, `stack` in `stack(hs)`; None where
    it takes one value as well, as `einsum` does."""


@dataclass(frozen=True, slots=True, eq=False)
class Name:
    """A variable by its name."""

    name: str
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Unary:
    """`-x`, `+x` or `~x`."""

    symbol: str
    operand: Expression
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Binary:
    """`a + b` and its like; an implicit product has the symbol `*`."""

    symbol: str
    left: Expression
    right: Expression
    span: Span
    in_place: bool = False
    """Written with `+=` or its like: the left side itself is changed, if it is a tensor."""


@dataclass(frozen=True, slots=True, eq=False)
class Put:
    """`y[0] = v`: the value is `y` with `v` in it."""

    place: Subscript
    value: Expression
    span: Span
    writes_back: bool = False
    """Of `y[0] += v`, which has changed `y[0]` and assigns the outcome."""


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """`f(x, dim=0)`, `torch.f(x)` or `x.f()`.

    `function` is the last part of the dotted name. `receiver` is the object of a method form
    and None for a function, whose `prefix` (`torch`, `F`, `torch.nn.functional`) is kept as text.
    `keyword_spans` tells where the words before the `=` stand, as far as they were written.
    """

    function: str
    receiver: Expression | None
    prefix: str
    arguments: tuple[Expression, ...]
    keywords: tuple[tuple[str, Expression], ...]
    function_span: Span
    span: Span
    keyword_spans: Mapping[str, Span] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Attribute:
    """`x.T`: a property of a value."""

    receiver: Expression
    name: str
    name_span: Span
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Slice:
    """`start:stop:step` inside square brackets; a missing part is None."""

    start: Expression | None
    stop: Expression | None
    step: Expression | None
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Dots:
    """`...` inside square brackets."""

    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Subscript:
    """`x[items]`; `items` holds one entry for each comma-separated index."""

    receiver: Expression
    items: tuple[Expression, ...]
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Comprehension:
    """`[item for target in iterable]`.

    Of two `for` the second one is the item of the first, which then takes all of its items.
    """

    item: Expression
    target: Target
    iterable: Expression
    span: Span
    flattens: bool = False
    """Whether each item is a list, whose items are taken one by one."""


Expression = (
    Number
    | Literal
    | DtypeName
    | FunctionName
    | Sequence
    | Star
    | Name
    | Unary
    | Binary
    | Call
    | Attribute
    | Slice
    | Dots
    | Subscript
    | Put
    | Comprehension
)

Target = Name | Sequence
"""What a loop assigns: a name, or names in brackets of any depth."""


@dataclass(frozen=True, slots=True, eq=False)
class _Run:
    """A statement that is run."""

    is_recorded: bool = field(default=True, kw_only=True)
    """False inside of `with no_grad:`."""


@dataclass(frozen=True, slots=True, eq=False)
class Assignment(_Run):
    """`name = expression`; `a += b` and `a[0] = b` have the changed `a` as the expression.

    `name` is empty where a value is only changed, as in `y[0].add_(1)`.
    """

    name: str
    expression: Expression
    name_span: Span
    span: Span

    @property
    def names(self) -> tuple[Name, ...]:
        """The one name that it assigns, if any."""
        return (Name(self.name, self.name_span),) if self.name else ()


@dataclass(frozen=True, slots=True, eq=False)
class Unpacking(_Run):
    """`a, b = expression`: one name for each of several values.

    With `a, b = b, a` the expression is a Sequence.
    """

    targets: tuple[Name, ...]
    expression: Expression
    span: Span

    @property
    def names(self) -> tuple[Name, ...]:
        """The names that it assigns: all but `_`, which stands for what is not used."""
        return tuple(target for target in self.targets if target.name != "_")


@dataclass(frozen=True, slots=True, eq=False)
class Action(_Run):
    """A call that stands alone: `y.backward()`, `h.retain_grad()`, `torch.manual_seed(1)`."""

    call: Call

    @property
    def span(self) -> Span:
        """All of it."""
        return self.call.span


@dataclass(frozen=True, slots=True, eq=False)
class Setting:
    """An assignment to an attribute: `x.grad = None`."""

    target: Attribute
    value: Expression

    @property
    def span(self) -> Span:
        """The attribute and what it belongs to."""
        return self.target.span


@dataclass(frozen=True, slots=True, eq=False)
class Append(_Run):
    """`hs.append(h)`: one more value at the end of a list."""

    target: Name
    value: Expression
    span: Span

    @property
    def names(self) -> tuple[Name, ...]:
        """None: the name means the same list as before."""
        return ()


@dataclass(frozen=True, slots=True, eq=False)
class Loop(_Run):
    """`for target in iterable:` and the statements to run for each item."""

    target: Target
    iterable: Expression
    body: tuple[Statement, ...]
    span: Span
    """Its first line."""

    @property
    def names(self) -> tuple[Name, ...]:
        """The names that the statements in it assign, at any depth, in their order."""
        return tuple(
            name
            for statement in flat(self.body)
            if isinstance(statement, Assignment | Unpacking)
            for name in statement.names
        )


Computing = Assignment | Unpacking | Append | Loop
"""The statements that run in a forward pass."""

Statement = Computing | Action | Setting


_Other = TypeVar("_Other")


def flat(statements: Iterable[_Other | Statement]) -> Iterator[_Other | Statement]:
    """The statements, each loop followed by those in it."""
    pending: list[Iterator[_Other | Statement]] = [iter(statements)]
    while pending:
        node = next(pending[-1], None)
        if node is None:
            pending.pop()
            continue
        yield node
        if isinstance(node, Loop):
            pending.append(iter(node.body))


def grown(statement: Statement) -> Name | None:
    """The `hs` of `hs.append(h)` and of `hs += [h]`, if the statement is that."""
    match statement:
        case Assignment(expression=Binary(left=Name() as left, right=right, in_place=True)):
            return left if isinstance(right, Sequence | Comprehension) else None
    if isinstance(statement, Action) and statement.call.function == "append":
        receiver = statement.call.receiver
        return receiver if isinstance(receiver, Name) else None
    return None


def target_names(target: Target) -> tuple[str, ...]:
    """The names that a loop's target assigns."""
    return tuple(
        name.name for name in postorder(target) if isinstance(name, Name) and name.name != "_"
    )


def not_recorded(statement: Statement) -> Statement:
    """The statement as it is inside of `with no_grad:`. Loops are nested 20 deep at most."""
    if isinstance(statement, Loop):
        statement = replace(statement, body=tuple(map(not_recorded, statement.body)))
    return replace(statement, is_recorded=False) if isinstance(statement, _Run) else statement


def children(  # noqa: C901 - a case for each kind of expression
    expression: Expression,
) -> tuple[Expression, ...]:
    """The direct sub-expressions, in the order in which Python evaluates them."""
    match expression:
        case Sequence(items=items):
            return items
        case Unary(operand=operand):
            return (operand,)
        case Star(value=value):
            return (value,)
        case Binary(left=left, right=right):
            return (left, right)
        case Call(receiver=receiver, arguments=arguments, keywords=keywords):
            head = () if receiver is None else (receiver,)
            return (*head, *arguments, *(value for _, value in keywords))
        case Attribute(receiver=receiver):
            return (receiver,)
        case Slice(start=start, stop=stop, step=step):
            return tuple(part for part in (start, stop, step) if part is not None)
        case Subscript(receiver=receiver, items=items):
            return (receiver, *items)
        case Put(place=place, value=value):
            return (value, place)
        case Comprehension(iterable=iterable, item=item):
            return (iterable, item)
        case _:
            return ()


def postorder(root: Expression) -> Iterator[Expression]:
    """Every sub-expression after its own parts, left to right: Python's order of evaluation."""
    pending: list[tuple[Expression, bool]] = [(root, False)]
    while pending:
        expression, visited = pending.pop()
        if visited:
            yield expression
            continue
        pending.append((expression, True))
        pending.extend((child, False) for child in reversed(children(expression)))
