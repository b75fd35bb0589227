"""A contribution step told for one element of what is sent: a scalar story about an array."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import reduce

import numpy as np

from backprop_engine.basics import notation
from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.values import Known, Shape, in_full, kept, shape_of
from backprop_engine.mathematics.tree import (
    SUMS,
    Branch,
    Form,
    Text,
    Tree,
    chain,
    prefix,
    statement,
)
from backprop_engine.reading.array_rule import two_factors
from backprop_engine.reading.element_terms import ElementTerms, Index, element_terms
from backprop_engine.reading.explain import Explanation, explain
from backprop_engine.trace import Missing, Trace
from backprop_engine.trace.abilities import Explains

MOST_TOLD = 4
"""Terms that are told one by one; of more there are the first, and `…`."""
_LETTERS = "kmnp"

Place = Sequence[int | str]
"""An index, in which a letter stands for all there are."""


def explain_element(trace: Trace, step: int, element: Index) -> Explanation | Missing:
    """The explanation of contribution step `step`, of `element` of the operand alone.

    `Missing` where its terms are.
    """
    told = element_terms(trace, step, element)
    if isinstance(told, Missing):
        return told
    node, operand, position = trace.edge(step)
    in_pass = trace.passes[trace.pass_index(step)]
    if in_pass.output is None:
        raise ValueError(f"step {step} is not one of a backward pass")
    return _Story(trace, node, operand, position, in_pass.output, told).tell(step)


@dataclass(frozen=True, slots=True)
class _Story:
    trace: Trace
    node: int
    operand: int
    position: int
    output: int
    """Of the pass."""
    told: ElementTerms

    def tell(self, step: int) -> Explanation:
        whole, before = explain(self.trace, step), self.trace.gradient(self.operand, step)
        element = self._named(self.operand, self.told.element)
        common = replace(
            whole,
            name=None,
            algebra=None,
            numbers=None,
            vjp=None,
            upstream_name=None,
            upstream="",
            running="",
            target=self._by_output(element),
            before="" if before is None else self._figure(before),
            contribution=notation.short(self.told.total),
            after=self._figure(self.trace.total_after(step)),
            notes=(self._note(), *whole.notes),
        )
        return self._one(common) if len(self.told.terms) == 1 else self._sum(common)

    def _one(self, common: Explanation) -> Explanation:
        """Upstream × local, as for numbers."""
        (term,) = self.told.terms
        local = Text(notation.short(term.local))
        return replace(
            common,
            name=self._slope(term.at),
            algebra=self._known_slope(term.at),
            numbers=local,
            local=local.text,
            upstream_name=self._by_output(self._named(self.node, term.at)),
            upstream=notation.short(term.upstream),
            product=statement(
                Text(notation.short(term.upstream)),
                local,
                Text(common.contribution),
                signs=(" × ",),
            ),
        )

    def _sum(self, common: Explanation) -> Explanation:
        """`Σₖ H[k, 1]·∂L/∂P[k, 0]`, and the same with figures."""
        terms = self.told.terms
        if not terms:
            return replace(common, name=common.target, algebra=Text("0"), numbers=Text("0"))
        at, letters = _generalised([term.at for term in terms])
        slope = self._known_slope(at) or self._slope(at)
        upstream = self._by_output(self._named(self.node, at))
        told = [(notation.short(term.local), notation.short(term.upstream)) for term in terms]
        figures: list[Tree] = [chain(Text(a), " · ", Text(b)) for a, b in told[:MOST_TOLD]]
        if len(terms) > MOST_TOLD:
            figures.append(Text("…"))
        added = reduce(lambda left, right: chain(left, " + ", right), figures)
        return replace(
            common,
            name=common.target,
            algebra=prefix(
                SUMS[letters], upstream if slope == Text("1") else chain(slope, "·", upstream)
            ),
            numbers=statement(added, Text(common.contribution)),
        )

    def _note(self) -> str:
        label, count = self.trace.label(self.node), len(self.told.terms)
        if not count:
            return f"no element of {label} changes with it here, so nothing is sent"
        elements = "one element" if count == 1 else f"{count:,} elements"
        if not any(term.local for term in self.told.terms):
            return f"{elements} of {label} is made of it, and does not change with it here"
        return f"{elements} of {label} {'changes' if count == 1 else 'change'} with it"

    def _figure(self, value: Known) -> str:
        return notation.short(float(np.asarray(in_full(value))[self.told.element]))

    def _named(self, node: int, at: Place) -> Tree:
        name = Text(self.trace.label(node))
        return Branch(Form.INDEX, (name, *(Text(str(index)) for index in at))) if at else name

    def _by_output(self, of: Tree) -> Branch:
        """`∂L/∂W[1, 0]`"""
        return Branch(Form.PARTIAL, (Text(self.trace.label(self.output)), of), ("∂",))

    def _slope(self, at: Place) -> Branch:
        """`∂P[k, 0]/∂W[1, 0]`"""
        above = self._named(self.node, at)
        return Branch(Form.PARTIAL, (above, self._named(self.operand, self.told.element)), ("∂",))

    def _known_slope(self, at: Place) -> Tree | None:
        """The same as a formula over elements of the operands, where there is one."""
        explains = self.trace.can(Explains, self.node)
        if isinstance(explains, Missing):
            return None
        local = explains.local(self.node, self.position)
        if local is not None:
            shape = shape_of(self.trace.nodes.value[self.node])
            nodes = {
                node: self._broadcast(node, at, shape)
                for node in (self.node, *self.trace.nodes.operands[self.node])
            }
            return local.tree(lambda node: self.trace.label(node) + _text(nodes[node]))
        product = explains.product(self.node, self.position)
        if product is None:
            return None
        factor = _factor(product.template, at, self.told.element)
        if factor is None:
            return None
        other = product.nodes[factor[0]]
        return self._named(other, factor[1]) if self._is_slope(other, product.template) else None

    def _broadcast(self, node: int, at: Place, shape: Shape) -> Place:
        """The element of an operand that is at `at` once it is broadcast to `shape`."""
        own = shape_of(self.trace.nodes.value[node])
        kept_axes = at[len(shape) - len(own) :]
        return [0 if size == 1 else index for size, index in zip(own, kept_axes, strict=True)]

    def _is_slope(self, other: int, template: str) -> bool:
        """Whether the elements of `other` that a product names are the derivatives, each one."""
        value = kept(self.trace.nodes.value[other])
        if value is None:
            return False
        array = np.asarray(value)
        for term in self.told.terms:
            factor = _factor(template, term.at, self.told.element)
            at = () if factor is None else tuple(int(index) for index in factor[1])
            is_inside = len(at) == array.ndim and all(map(int.__lt__, at, array.shape))
            if not is_inside or float(array[at]) != term.local:
                return False
        return True


def _text(at: Place) -> str:
    return f"[{', '.join(map(str, at))}]" if at else ""


def _generalised(places: Sequence[Index]) -> tuple[Place, int]:
    """One place for all: letters where they differ, and how many of them there are."""
    letters = iter(_LETTERS)
    at: Place = [
        indices[0] if len(set(indices)) == 1 else next(letters, "…")
        for indices in zip(*places, strict=True)
    ]
    return at, min(sum(isinstance(index, str) for index in at), len(_LETTERS))


def _factor(template: str, at: Place, element: Index) -> tuple[str, Place] | None:
    """The other factor of a product with the upstream gradient, and the element of it that meets.

    `g @ bᵀ` at `(i, k)`, for the element `(i, j)` of what is sent, meets `b[j, k]`.
    """
    factors = two_factors(template)
    if factors is None or "g" not in (factors[0].letter, factors[2].letter):
        return None
    left, sign, right = factors
    other = right if left.letter == "g" else left
    if sign == "·":  # a number times an array
        return other.letter, element
    if sign != " @ " or len(at) != 2 or len(element) != 2:
        return None
    if other is right:  # sent[i, j] = Σₖ g[i, k] · right[k, j]
        place: Place = (at[0] if left.is_transposed else at[1], element[1])
    else:
        place = (element[0], at[1] if right.is_transposed else at[0])
    return other.letter, place[::-1] if other.is_transposed else place
