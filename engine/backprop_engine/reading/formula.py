"""Expressions asked of a recorded run: compiled once, then evaluated at as many steps as wanted.

A formula is a stack program over the catalogue's forward functions. It adds nothing to a graph.
What it speaks of may be unknown at a step (a node not yet computed, no gradient yet); then so is
the result.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Container, Hashable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.source import OperandError, ProblemError
from backprop_engine.basics.suggestions import did_you_mean, listed
from backprop_engine.basics.values import Known, Value, kept, norm_of
from backprop_engine.catalogue import PROPERTIES
from backprop_engine.forward import called
from backprop_engine.grammar import syntax
from backprop_engine.grammar.excerpt import Excerpt
from backprop_engine.grammar.syntax import Expression, postorder
from backprop_engine.operation import Operation
from backprop_engine.program.python_numbers import literal, nothing_known
from backprop_engine.program.resolving import Call, resolve, unknown_property

LookUp = Callable[[Expression], Hashable | None]
"""What an expression stands for by itself, if it does; ProblemError for an unknown name."""


def among(names: Collection[str]) -> LookUp:
    """The look-up of names of which these alone are known, each its own key."""

    def look_up(expression: Expression) -> Hashable | None:
        if not isinstance(expression, syntax.Name):
            return None
        if expression.name in names:
            return expression.name
        raise ProblemError(
            f"unknown name `{expression.name}`",
            expression.span,
            expected=listed(names),
            fix=did_you_mean(expression.name, names),
        )

    return look_up


class Load(NamedTuple):
    """Push what `key` stands for at the moment; it may be unknown."""

    key: Hashable


class Constant(NamedTuple):
    """Push a literal."""

    value: Value


@dataclass(frozen=True, slots=True)
class Apply:
    """Replace the last `count` values by the result of an operation on them."""

    operation: Operation
    count: int
    attributes: Mapping[str, Any]
    output: str | int | None = None
    """Which one, of an operation with several outputs."""


Instruction = Load | Constant | Apply


@dataclass(frozen=True, eq=False)
class Formula:
    """A compiled expression."""

    text: str
    """As it was typed."""
    algebra: str
    """As mathematics: `|contribution| > 10`."""
    program: tuple[Instruction, ...]
    keys: tuple[Any, ...]
    """All that it loads, each once, in the order in which it is first mentioned."""

    def value(self, known: Callable[[Any], Value | None]) -> Value | None:
        """The result where `known` gives the value of each key; None where it is unknown.

        Whatever is computed from an unknown value is unknown, but for `a | b`, which takes the
        side that is known. Raises OperandError where shapes do not fit.
        """
        stack: list[Value | None] = []
        with np.errstate(all="ignore"):
            for instruction in self.program:
                if isinstance(instruction, Load):
                    stack.append(known(instruction.key))
                elif isinstance(instruction, Constant):
                    stack.append(instruction.value)
                else:
                    operands = stack[-instruction.count :]
                    del stack[-instruction.count :]
                    stack.append(_apply(instruction, operands))
        return stack.pop()


def _apply(instruction: Apply, operands: list[Value | None]) -> Value | None:
    values = [operand for operand in operands if operand is not None]
    if len(values) < len(operands):
        return values[0] if values and instruction.operation.spelling.symbol == "|" else None
    operation, attributes = instruction.operation, instruction.attributes
    if instruction.output is not None and operation.outputs is not None:
        names = called(operation.outputs, operation, values, attributes)
        attributes = {**attributes, "output": _position(instruction.output, names)}
    result = called(operation.forward, operation, values, attributes)
    if isinstance(result, np.ndarray | np.generic) and not result.ndim:
        scalar: Value = result if isinstance(result, np.float32) else result.item()
        return scalar
    found: Value = result
    return found


def _position(output: str | int, names: Sequence[str]) -> int:
    found = names.index(output) if isinstance(output, str) and output in names else output
    if isinstance(found, str) or not -len(names) <= found < len(names):
        raise OperandError(f"there is no output `{output}`; there are {listed(names)}")
    return found % len(names)


def compile_formula(
    text: str, root: Expression, look_up: LookUp, variables: Container[str]
) -> Formula:
    """`root`, the expression that `text` is, as a stack program.

    `variables` are the names that are no functions. Raises ProblemError for the first mistake.
    """
    program = list(_program(root, look_up, variables))
    keys = dict.fromkeys(
        instruction.key for instruction in program if isinstance(instruction, Load)
    )
    return Formula(text, algebra(text, root), tuple(program), tuple(keys))


def _program(root: Expression, look_up: LookUp, variables: Container[str]) -> Iterator[Instruction]:
    pending: list[Expression | Apply] = [root]
    while pending:
        task = pending.pop()
        if isinstance(task, Apply):
            yield task
        elif (key := look_up(task)) is not None:
            yield Load(key)
        elif isinstance(task, syntax.Number):
            yield Constant(float(task.value))
        elif isinstance(task, syntax.Sequence):
            yield Constant(_array(task))
        elif isinstance(task, syntax.Unary) and task.symbol == "+":
            pending.append(task.operand)
        else:
            call, output = _resolve(task, variables)
            pending.append(Apply(call.operation, len(call.operands), call.attributes, output))
            pending.extend(reversed(call.operands))


def _resolve(task: Expression, variables: Container[str]) -> tuple[Call, str | int | None]:
    """The operation; and which of its outputs, of `max(W, dim=1).values` or `[0]`."""
    match task:
        case syntax.Attribute(receiver=syntax.Call() as inner, name=name) if (
            name not in PROPERTIES and name != "grad"
        ):
            call = resolve(inner, variables, nothing_known)
            if call.operation.outputs is None:
                raise unknown_property(task)
            return call, name
        case syntax.Subscript(
            receiver=syntax.Call() as inner, items=(syntax.Number(value=int(at)),)
        ):
            call = resolve(inner, variables, nothing_known)
            if call.operation.outputs is not None:
                return call, at
    call = resolve(task, variables, nothing_known)
    if call.operation.outputs is not None:
        raise ProblemError(
            f"`{call.operation.name}` gives several values here, and one is needed",
            task.span,
            fix="pick one with `[0]` or by its name",
        )
    return call, None


def _array(expression: syntax.Sequence) -> np.ndarray:
    try:
        return np.array(literal(expression), dtype=float)
    except (ValueError, TypeError):
        raise ProblemError(
            "a list holds numbers, or lists of numbers of one length", expression.span
        ) from None


_SIGNS: Final = {
    ">=": "≥", "<=": "≤", "!=": "≠", "==": "=", "&": "and", "|": "or", "~": "not ", "-": "−",
    "*": "·",
}  # fmt: skip


def algebra(text: str, root: Expression) -> str:
    """`text`, whose expression is `root`, in the signs of mathematics: `|x| ≥ 1 and y ≠ 0`."""
    edits: list[tuple[int, int, str]] = []
    for node in postorder(root):
        match node:
            case syntax.Binary(symbol=symbol, left=left, right=right) if symbol in _SIGNS:
                at = text.find(symbol, left.span.stop, right.span.start)
                if at >= 0:  # not so in an implicit product
                    edits.append((at, at + len(symbol), _SIGNS[symbol]))
            case syntax.Unary(symbol=symbol, span=span) if symbol in _SIGNS:
                edits.append((span.start, span.start + len(symbol), _SIGNS[symbol]))
            case syntax.Call(function="abs", receiver=None, prefix="", arguments=(_,)):
                start = text.index("(", node.function_span.stop)
                edits.append((node.span.start, start + 1, "|"))
                edits.append((node.span.stop - 1, node.span.stop, "|"))
            case _:
                pass
    for start, stop, sign in sorted(edits, reverse=True):
        text = text[:start] + sign + text[stop:]
    return " ".join(text.split())


def with_norms(excerpt: Excerpt) -> Excerpt:
    """`‖x‖` as `norm(x)`."""
    bars = [at for at, sign in enumerate(excerpt.text) if sign == "‖"]
    return excerpt.edited(
        (at, at + 1, ")" if number % 2 else "norm(") for number, at in enumerate(bars)
    )


def normed(expression: Expression) -> Expression | None:
    """What `expression` is the Euclidean norm of; None where it is none."""
    match expression:
        case syntax.Call(function="norm", receiver=None, arguments=(inner,), keywords=()):
            return inner
        case syntax.Call(function="norm", receiver=inner, arguments=(), keywords=()):
            return inner
    return None


def as_asked(value: Known | None, *, is_norm: bool) -> Value | None:
    """A value, or its norm; None where it is not known."""
    if not is_norm or value is None:
        return kept(value)
    return norm_of(value)
