"""Scores turned into probabilities, along one axis."""

from __future__ import annotations

from typing import Any

import numpy as np

from backprop_engine.basics.values import Shape, shape_of
from backprop_engine.catalogue.shared.entries import INPUT, in_steps
from backprop_engine.operation import Kind

_ONE_DTYPE = "leave it out: all floats have one dtype"

_PARAMETERS = (
    INPUT,
    Kind.AXIS("dim", None, aliases=("axis",), required_by=("torch", "special", "Tensor")),
    Kind.WHOLE("_stacklevel", 3, is_ignored=True),
    Kind.TEXT("dtype", None, refusal=_ONE_DTYPE),
)


def axis_of(shape: Shape, dim: int | None) -> int:
    """The axis that is meant: torch's old rule takes the first or the second where none is."""
    if dim is None:
        return 0 if len(shape) in (0, 1, 3) else 1
    return dim


def softmax(a: Any, dim: int | None) -> Any:
    """exp(a)/Σ exp(a) along `dim`, of the shape of `a`; the largest score is subtracted first."""
    axis = axis_of(shape_of(a), dim)
    scores = np.atleast_1d(a)
    powers = np.exp(scores - np.max(scores, axis=axis, keepdims=True, initial=-np.inf))
    return np.reshape(powers / np.sum(powers, axis=axis, keepdims=True), shape_of(a))


def softmax_rule(g: Any, y: Any, dim: int | None) -> Any:
    """The contribution to the scores from the probabilities `y` alone."""
    axis = axis_of(shape_of(y), dim)
    sent = np.atleast_1d(g * y)
    rest = np.atleast_1d(y) * np.sum(sent, axis=axis, keepdims=True)
    return np.reshape(sent - rest, shape_of(y))


def log_softmax(a: Any, dim: int | None) -> Any:
    """a − log Σ exp(a) along `dim`, of the shape of `a`, finite where the softmax is 0."""
    axis = axis_of(shape_of(a), dim)
    scores = np.atleast_1d(a)
    shifted = scores - np.max(scores, axis=axis, keepdims=True, initial=-np.inf)
    total = np.log(np.sum(np.exp(shifted), axis=axis, keepdims=True))
    return np.reshape(shifted - total, shape_of(a))


def log_softmax_rule(g: Any, y: Any, dim: int | None) -> Any:
    """The contribution to the scores from the log-probabilities `y` alone."""
    axis = axis_of(shape_of(y), dim)
    total = np.sum(np.atleast_1d(g), axis=axis, keepdims=True)
    return np.reshape(np.atleast_1d(g) - np.exp(np.atleast_1d(y)) * total, shape_of(y))


def _composite(statements: str) -> Any:
    """Statements in which `AXIS` is the axis along which the probabilities sum to 1."""

    def opened(shapes: tuple[Shape, ...], dim: int | None, **_: Any) -> str:
        axis = axis_of(shapes[0], dim)
        return statements.replace("AXIS", str(axis))

    return opened


SOFTMAX = in_steps(
    "softmax",
    softmax,
    rule=lambda g, y, a, dim: softmax_rule(g, y, dim),
    vjp="{y} ⊙ ({g} − Σ {g} ⊙ {y})",
    because="Probabilities sum to 1: a score that rises takes from all others, so each "
    "receives only how far its gradient is above the average, weighted by its probability.",
    torch=lambda torch, a, dim: torch.softmax(a, axis_of(a.shape, dim)),
    words="scores as probabilities: positive, and 1 in total along the axis",
    parameters=_PARAMETERS,
    composite=_composite(
        "m = amax(a, dim=AXIS, keepdim=True).detach()\n"
        "e = exp(a - m)\n"
        "e / e.sum(AXIS, keepdim=True)"
    ),
    example="z=[2, 1, 0.1], p=softmax(z, dim=0), y=p[0]",
)

LOG_SOFTMAX = in_steps(
    "log_softmax",
    log_softmax,
    rule=lambda g, y, a, dim: log_softmax_rule(g, y, dim),
    vjp="{g} − exp({y})·Σ {g}",
    because="The gradient of each score, less its probability's share of all gradients.",
    notation="log softmax({a})",
    torch=lambda torch, a, dim: torch.log_softmax(a, axis_of(a.shape, dim)),
    words="the logarithms of the softmax, exact even where a probability is too small to hold",
    parameters=_PARAMETERS,
    composite=_composite(
        "m = amax(a, dim=AXIS, keepdim=True).detach()\n"
        "s = a - m\n"
        "s - log(exp(s).sum(AXIS, keepdim=True))"
    ),
    example="z=[2, 1, 0.1], p=log_softmax(z, dim=0), y=p[0]",
)

SOFTMIN = in_steps(
    "softmin",
    lambda a, dim: softmax(-a, dim),
    rule=lambda g, y, a, dim: -softmax_rule(g, y, dim),
    vjp="−{y} ⊙ ({g} − Σ {g} ⊙ {y})",
    because="The softmax of the scores with their signs turned, so the gradient's sign "
    "is turned as well.",
    torch=lambda torch, a, dim: torch.nn.functional.softmin(a, axis_of(a.shape, dim)),
    grad_fn="SoftmaxBackward0",
    words="scores as probabilities, the smallest score the most probable",
    parameters=_PARAMETERS,
    composite=_composite("softmax(-a, dim=AXIS)"),
    example="z=[2, 1, 0.1], p=softmin(z, dim=0), y=p[0]",
)
