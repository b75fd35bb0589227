"""A contribution between arrays as an equation of arrays: what is sent, and what it is made of."""

from __future__ import annotations

import re
from enum import Enum
from typing import Final

import numpy as np

from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.summary import Summary
from backprop_engine.basics.values import Known, Value, broadcast_axes, shape_of
from backprop_engine.mathematics.parser import parse
from backprop_engine.mathematics.tree import Branch, Form, Hole, Text, Tree, partial
from backprop_engine.reading.local_derivatives import local_derivative
from backprop_engine.trace import Missing, Trace
from backprop_engine.trace.abilities import Explains
from backprop_engine.trace.formula import Formula

_MOVES: Final = re.compile(r"\b(copied|back|added|repeated|written)\b")
"""In the words of a derivative that computes nothing with the operands it names."""


class Role(Enum):
    """What an array is in the chain rule."""

    SENT = "what is sent"
    UPSTREAM = "the gradient of the node"
    LOCAL = "the local derivative, or the other factor of a product"


@dataclass(frozen=True, slots=True, eq=False)
class Figure:
    """A name and its numbers."""

    name: Tree
    value: Value
    role: Role


@dataclass(frozen=True, slots=True, eq=False)
class ArrayRule:
    """`sent = left @ right`, in numbers."""

    sent: Figure
    made_of: tuple[Figure, ...]
    signs: tuple[str, ...]
    """Before each of what it is made of: `=`, `@`; `from` and `and` where it is no plain product.

    A vector that takes part in a product of matrices lies or stands as it does there.
    """

    @property
    def is_matrix_product(self) -> bool:
        """Whether row i and column j of the two factors make element [i, j]."""
        return self.signs[-1] == "@"


@dataclass(frozen=True, slots=True)
class Factor:
    """A letter of a template, and whether it stands there transposed."""

    letter: str
    is_transposed: bool


def two_factors(template: str) -> tuple[Factor, str, Factor] | None:
    """Two letters and the sign between them, where a template is no more: `{g} @ {b}ᵀ`."""
    product = parse(template)
    if not isinstance(product, Branch) or product.form is not Form.CHAIN or len(product.parts) != 2:
        return None
    left, right = map(_factor, product.parts)
    return None if left is None or right is None else (left, product.signs[0], right)


def _factor(part: Tree) -> Factor | None:
    is_transposed = isinstance(part, Branch) and part.form is Form.SUFFIX and part.signs == ("ᵀ",)
    if isinstance(part, Branch) and is_transposed:
        (part,) = part.parts
    return Factor(part.name, is_transposed) if isinstance(part, Hole) else None


def array_rule(trace: Trace, step: int) -> ArrayRule | None:
    """The equation of contribution step `step`; None where a value was not kept whole."""
    node, operand, position = trace.edge(step)
    sent, upstream = trace.contribution(step), trace.gradient(node, step)
    output = trace.passes[trace.pass_index(step)].output
    if upstream is None or output is None:
        return None
    if isinstance(upstream, Summary) or isinstance(sent, Summary):
        return None
    by = trace.label(output)
    target = Figure(partial(by, trace.label(operand)), sent, Role.SENT)
    above = Figure(partial(by, trace.label(node)), upstream, Role.UPSTREAM)
    explains = trace.can(Explains, node)
    local = None if isinstance(explains, Missing) else explains.local(node, position)
    if local is not None and (name := local.tree(trace.label)) == Text("1"):
        return ArrayRule(target, (above,), (_equals(above, target),))
    slope = None if local is None else local_derivative(trace, step)
    if slope is not None and shape_of(slope) == shape_of(upstream):
        made_of = (above, Figure(name, slope, Role.LOCAL))
        return ArrayRule(target, made_of, (_equals(above, target), "⊙"))
    product = None if isinstance(explains, Missing) else explains.product(node, position)
    if product is not None and (made := _product(trace, product, above, target)) is not None:
        return made
    others = () if product is None else _named_in(trace, product)
    return ArrayRule(target, (above, *others), ("from", *("and" for _ in others)))


def _named_in(trace: Trace, product: Formula) -> tuple[Figure, ...]:
    """The values that a formula computes with; one that only moves elements names shapes."""
    if _MOVES.search(product.template):
        return ()
    nodes = [node for letter, node in product.nodes.items() if f"{{{letter}}}" in product.template]
    values = ((node, trace.nodes.value[node]) for node in dict.fromkeys(nodes))
    return tuple(
        Figure(Text(trace.label(node)), value, Role.LOCAL)
        for node, value in values
        if not isinstance(value, Summary)
    )


def _equals(above: Figure, target: Figure) -> str:
    """`=`, with the sum over the axes that the operand was broadcast along."""
    axes = broadcast_axes(shape_of(above.value), shape_of(target.value))
    if not axes:
        return "="
    return f"= Σ over {'axis' if len(axes) == 1 else 'axes'} {', '.join(map(str, axes))} of"


def _product(trace: Trace, product: Formula, above: Figure, target: Figure) -> ArrayRule | None:
    """`sent = left @ right`, where the shapes are those of matrices."""
    factors = two_factors(product.template)
    if factors is None:
        return None
    left, sign, right = factors
    factors_: list[Figure] = []
    for factor in (left, right):
        is_upstream = factor.letter == "g"
        name: Tree = above.name
        value: Known = above.value
        if not is_upstream:
            node = product.nodes[factor.letter]
            name, value = Text(trace.label(node)), trace.nodes.value[node]
        if isinstance(value, Summary):
            return None
        if factor.is_transposed:
            name, value = Branch(Form.SUFFIX, (name,), ("ᵀ",)), _transposed(np.asarray(value))
        factors_.append(Figure(name, value, Role.UPSTREAM if is_upstream else Role.LOCAL))
    if sign == " @ " and (stood := _as_matrices(target, *factors_)) is not None:
        sent, *both = stood
        return ArrayRule(sent, tuple(both), ("=", "@"))
    if sign in (" @ ", "·") and () in [shape_of(factor.value) for factor in factors_]:
        return ArrayRule(target, tuple(factors_), ("=", "·"))
    return None


def _transposed(array: np.ndarray) -> np.ndarray:
    return array if array.ndim < 2 else array.swapaxes(-1, -2)


_STANDING: Final = {
    (2, 1, 1): ("rows", "standing", "standing"),
    (1, 2, 1): ("lying", "rows", "lying"),
    (1, 1, 2): ("standing", "lying", "rows"),
}
"""How the factors and what they make are drawn, by their axes."""


def _as_matrices(sent: Figure, left: Figure, right: Figure) -> list[Figure] | None:
    """What is sent and its factors as matrices, or as many of each; None where they differ."""
    shapes = [shape_of(figure.value) for figure in (left, right, sent)]
    axes = len(shapes[0]), len(shapes[1]), len(shapes[2])
    if len({shape[:-2] for shape in shapes}) == 1 == len(set(axes)) and axes[0] >= 2:
        return [sent, left, right]
    if axes not in _STANDING:
        return None
    first, second, product = (
        _stood(figure, how)
        for figure, how in zip((left, right, sent), _STANDING[axes], strict=True)
    )
    return [product, first, second]


def _stood(figure: Figure, how: str) -> Figure:
    if how == "rows":
        return figure
    shape = (-1, 1) if how == "standing" else (1, -1)
    return Figure(figure.name, np.asarray(figure.value).reshape(shape), figure.role)
