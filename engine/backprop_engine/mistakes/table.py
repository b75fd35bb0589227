"""The table of mistakes: what each is called, what a learner is told, and what it would send.

`wrong` makes the wrong contributions of an edge from the right rule. Where two kinds send the same
whatever the numbers are, the first in the table is the one that is meant: special kinds stand
before general ones.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np

from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.values import full_like, shape_of, unbroadcast
from backprop_engine.mistakes.edge import Edge

Wrong = Callable[[Edge], Iterator[Any]]
"""What a mistake would send: none where it cannot be made, several where it has several forms."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """One kind."""

    name: str
    sentence: str
    """For a learner. `{node}` sends to `{operand}`; `{upstream}` is the gradient of the node and
    `{local}` the local derivative, both as mathematics."""
    wrong: Wrong

    @property
    def slug(self) -> str:
        """The name as a word of the command line."""
        return self.name.replace(" ", "-")


def _local(edge: Edge) -> Any:
    return edge.sent(upstream=full_like(edge.upstream, 1.0))


def _handed_on(edge: Edge) -> Iterator[Any]:
    """The upstream gradient as it is, as far as it fits the operand."""
    shape = shape_of(edge.operand)
    if edge.operation.elementwise:
        yield unbroadcast(edge.upstream, shape)
    elif shape_of(edge.upstream) == shape:
        yield edge.upstream
    elif not shape_of(edge.upstream):
        yield np.broadcast_to(edge.upstream, shape)


_MASKED: Final = {
    *("relu", "leaky_relu", "relu6", "abs", "hardtanh", "threshold", "where", "masked_fill"),
    *("clamp", "clamp.tensor", "clamp_max", "clamp_min", "tril", "triu", "dropout"),
    *("max", "min", "max.dim", "min.dim", "amax", "amin", "maximum", "minimum"),
}


def _mask(edge: Edge) -> Iterator[Any]:
    if edge.operation.name in _MASKED:
        yield from _handed_on(edge)
        if edge.operation.name == "relu":
            yield np.maximum(edge.upstream, 0)


def _exponent(edge: Edge) -> Iterator[Any]:
    if edge.operation.name in ("pow", "square") and edge.position == 0:
        base = edge.operands[0]
        exponent: Any = edge.operands[1] if len(edge.operands) > 1 else 2.0
        yield edge.fitted(edge.upstream * base ** (exponent - 1))
        yield edge.fitted(edge.upstream * exponent * base**exponent)
        yield edge.fitted(edge.upstream * exponent * base)


def _quotient(edge: Edge) -> Iterator[Any]:
    if edge.operation.name == "div" and edge.position == 1:
        above, below = edge.operands
        yield edge.fitted(-edge.upstream * above / below)
        yield edge.fitted(-edge.upstream / (below * below))
        yield edge.fitted(edge.upstream / below)
    elif edge.operation.name in ("div", "reciprocal"):
        yield edge.fitted(edge.upstream * edge.operands[-1])
        yield edge.fitted(-edge.upstream / edge.operands[-1])


def _factor(edge: Edge) -> Iterator[Any]:
    y = edge.output
    if edge.operation.name == "tanh":
        yield edge.upstream * (1 - y)
        yield -edge.upstream * y * y
    if edge.operation.name == "sigmoid":
        yield edge.upstream * y
        yield edge.upstream * (1 - y)


def _target(edge: Edge) -> Iterator[Any]:
    """Of a cross entropy, softmax without the one at the target."""
    if edge.operation.name != "cross_entropy" or edge.position != 0 or len(edge.operands) < 2:
        return
    classes, scores = np.asarray(edge.operands[1]), np.asarray(edge.operand)
    if classes.dtype.kind != "i" or scores.ndim not in (1, 2):
        return
    powers = np.exp(scores - scores.max(-1, keepdims=True))
    softmax = powers / powers.sum(-1, keepdims=True)
    rows = softmax.shape[0] if softmax.ndim > 1 else 1
    yield softmax * edge.upstream / rows
    one_hot = np.zeros_like(softmax)
    np.put_along_axis(one_hot, classes.reshape(*scores.shape[:-1], 1), 1.0, -1)
    yield -one_hot * edge.upstream / rows


def _unmixed(edge: Edge) -> Iterator[Any]:
    """A softmax as if each element hung on its own operand alone."""
    if edge.operation.name == "softmax":
        yield edge.upstream * edge.output * (1 - edge.output)
        yield edge.upstream * edge.output
    if edge.operation.name == "log_softmax":
        yield edge.upstream - np.exp(edge.output)
        yield edge.upstream * (1 - np.exp(edge.output))


def _order(edge: Edge) -> Iterator[Any]:
    """A matrix product with its factors in another order, or not transposed."""
    upstream: Any = edge.upstream
    if edge.operation.name in ("matmul", "mm", "bmm", "linear"):
        for factor in edge.operands[:2]:
            for left, right in ((upstream, factor), (factor, upstream)):
                for a in (left, _turned(left)):
                    for b in (right, _turned(right)):
                        if _multiply(a, b):
                            yield np.matmul(a, b)
    right = edge.sent()
    if np.ndim(right) > 1:
        yield _turned(right)


def _turned(matrix: Any) -> Any:
    return np.swapaxes(matrix, -1, -2) if np.ndim(matrix) > 1 else matrix


def _multiply(a: Any, b: Any) -> bool:
    rows = np.shape(b)[-2:][0] if np.ndim(b) else None
    return bool(np.ndim(a)) and np.shape(a)[-1] == rows and np.shape(a)[:-2] == np.shape(b)[:-2]


def _scattered(edge: Edge) -> Iterator[Any]:
    """Of what picks elements: where one is picked twice, the last gradient overwrites the rest."""
    shape = shape_of(edge.operand)
    if edge.operation.name not in ("index", "gather", "index_select", "embedding", "take"):
        return
    places = np.arange(int(np.prod(shape))).reshape(shape)
    operands = [places if at == edge.position else x for at, x in enumerate(edge.operands)]
    picked = np.asarray(edge.operation.forward(*operands, **edge.attributes))
    overwritten = np.zeros(places.size)
    overwritten[picked.reshape(-1)] = np.asarray(edge.upstream).reshape(-1)
    yield overwritten.reshape(shape)


def _copies(edge: Edge) -> Iterator[Any]:
    if edge.operation.elementwise:
        terms, shape = np.asarray(edge.terms()), shape_of(edge.operand)
        if terms.shape != shape:
            yield terms
            yield terms[(0,) * (terms.ndim - len(shape))]


def _averaged(edge: Edge) -> Iterator[Any]:
    if edge.operation.elementwise:
        copies = np.size(edge.terms()) / max(np.size(edge.operand), 1)
        if copies > 1:
            yield edge.sent() / copies


def _share(edge: Edge) -> Iterator[Any]:
    """Of a mean over n numbers, n times too large or too small."""
    n = edge.operation.most_terms(edge.operands, edge.attributes)
    if n > 1:
        yield edge.sent() * float(n)
        yield edge.sent() / float(n)


def _constant(edge: Edge) -> Iterator[Any]:
    derivative = edge.operation.derivative(edge.position)
    told = derivative.local or derivative.vjp
    if edge.operation.name == "mse_loss" or (isinstance(told, str) and re.search(r"\b2\b", told)):
        yield edge.sent() / 2
        yield edge.sent() * 2


def _exchanged(edge: Edge) -> Iterator[Any]:
    if len(edge.operands) == 2 and len(edge.operation.derivatives) == 2:
        if edge.operation.elementwise:
            yield edge.sent(operands=edge.operands[::-1])
        yield edge.fitted(edge.terms(position=1 - edge.position))


def _mixed_up(edge: Edge) -> Iterator[Any]:
    if shape_of(edge.output) == shape_of(edge.operand):
        given = list(edge.operands)
        given[edge.position] = edge.output
        yield edge.sent(operands=given)
        yield edge.sent(output=edge.operand)


def _value(edge: Edge) -> Iterator[Any]:
    if edge.operation.elementwise:
        yield edge.fitted(edge.upstream * edge.output)


def _negated(edge: Edge) -> Iterator[Any]:
    yield np.negative(edge.sent())


def _upstream_forgotten(edge: Edge) -> Iterator[Any]:
    yield _local(edge)


def _added(edge: Edge) -> Iterator[Any]:
    if edge.operation.elementwise:
        yield edge.fitted(edge.upstream + edge.terms(upstream=full_like(edge.upstream, 1.0)))


def _twice(edge: Edge) -> Iterator[Any]:
    yield edge.sent(upstream=edge.upstream * edge.upstream)


def _divided(edge: Edge) -> Iterator[Any]:
    if edge.operation.elementwise:
        yield edge.fitted(edge.upstream / edge.terms(upstream=full_like(edge.upstream, 1.0)))


def _never(_: Edge) -> Iterator[Any]:
    return iter(())


SIGN: Final = Mistake("sign", "the sign is the other one", _negated)
ONE_PATH: Final = Mistake(
    "only one path",
    "{operand} is used more than once: its gradient is the sum over all paths (+=, not =)",
    _never,
)
MULTIPLIED_PATHS: Final = Mistake(
    "multiplied for added",
    "along one path derivatives are multiplied; what several paths bring is added",
    _never,
)

MISTAKES: Final = (
    Mistake(
        "mask forgotten",
        "the gradient goes only where {node} took its value from: elsewhere 0 is sent",
        _mask,
    ),
    Mistake(
        "exponent",
        "a power brings its exponent down and lowers it by one: the derivative of xⁿ is n·xⁿ⁻¹",
        _exponent,
    ),
    Mistake(
        "quotient",
        "of a/b the derivative is 1/b by a, and −a/b² by b: the square and the minus belong there",
        _quotient,
    ),
    Mistake(
        "factor forgotten",
        "a part of the local derivative {local} is missing",
        _factor,
    ),
    Mistake(
        "target",
        "of a cross entropy softmax(scores) − 1 at the target comes back: both parts are needed",
        _target,
    ),
    Mistake(
        "elements taken alone",
        "each element of {node} hangs on every score: the sum over the others is missing",
        _unmixed,
    ),
    Mistake(
        "transposed or wrong order",
        "of A·B the gradient is g·Bᵀ by A and Aᵀ·g by B: the shapes say which order fits",
        _order,
    ),
    Mistake(
        "scattered by overwriting",
        "an element that was picked twice gets the sum of both gradients, not the last one",
        _scattered,
    ),
    Mistake(
        "not summed over copies",
        "{operand} was broadcast: sum what its copies receive, until the shape is its own again",
        _copies,
    ),
    Mistake(
        "averaged over copies",
        "what the copies of {operand} receive is added, not averaged",
        _averaged,
    ),
    Mistake(
        "1/n missing or twice",
        "a mean divides by n, once: so does its derivative",
        _share,
    ),
    Mistake(
        "upstream forgotten",
        "that is the local derivative alone: the upstream {upstream} was forgotten",
        _upstream_forgotten,
    ),
    Mistake(
        "local derivative forgotten",
        "that is the upstream {upstream} as it came: the local derivative {local} was forgotten",
        _handed_on,
    ),
    SIGN,
    Mistake(
        "factor of the other operand",
        "that belongs to the other operand: ∂(a·b)/∂a is b",
        _exchanged,
    ),
    Mistake(
        "input and output mixed up",
        "the rule takes the input where the output belongs, or the other way round",
        _mixed_up,
    ),
    Mistake(
        "value for derivative",
        "that is upstream × the value of {node}: its derivative {local} belongs there",
        _value,
    ),
    Mistake(
        "added for multiplied",
        "upstream and local derivative are multiplied along a path, not added",
        _added,
    ),
    Mistake(
        "upstream twice",
        "the upstream {upstream} stands in it twice",
        _twice,
    ),
    Mistake(
        "divided for multiplied",
        "the upstream is multiplied by the local derivative, not divided by it",
        _divided,
    ),
    Mistake(
        "constant factor",
        "a constant factor of the derivative, a 2 or ½, is missing or stands there twice",
        _constant,
    ),
)
"""Mistakes at one edge."""
SUMMING: Final = (ONE_PATH, MULTIPLIED_PATHS)
"""Mistakes where contributions come together."""

OVERWRITTEN: Final = Mistake(
    "overwritten",
    "{node} overwrites the gradient of {operand}, which others have sent to already: write +=",
    _never,
)
NOT_SUMMED: Final = Mistake(
    "shape",
    "{operand} was broadcast: what comes back has to be summed to its shape",
    _never,
)
ORDER: Final = Mistake(
    "order",
    "{node} sends before all that use it have sent: its gradient is not complete yet",
    _never,
)
FIRED_TWICE: Final = Mistake(
    "fired twice", "{node} sends a second time: each node sends once, when it is complete", _never
)
SEED: Final = Mistake("seed", "backward starts with 1 at the output: ∂y/∂y = 1", _never)
SENDS_NOTHING: Final = Mistake("sends nothing", "{node} sends nothing to {operand}", _never)
NEVER_SENT: Final = Mistake("never sent", "{node} is never asked to send", _never)
STALE: Final = Mistake(
    "stale",
    "gradients of the pass before are still there: they have to start at 0 (zero_grad)",
    _never,
)
OF_ENGINES: Final = (
    OVERWRITTEN, NOT_SUMMED, ORDER, FIRED_TWICE, SEED, SENDS_NOTHING, NEVER_SENT, STALE,
)  # fmt: skip
"""Mistakes of the loop that visits the nodes, and no rule of an operation."""
