"""Operations that make fewer numbers of many."""

from __future__ import annotations

from typing import Any

import numpy as np

from backprop_engine.operation import Application, Derivative, Kind, Operation, Parameter
from backprop_engine.values import Shape, shape_of

_REDUCTION_PARAMETERS = (
    Parameter("input"),
    Parameter("dim", Kind.AXES, None, aliases=("axis",)),
    Parameter("keepdim", Kind.FLAG, False, aliases=("keepdims",)),
)


def _kept_shape(a: Any, dim: Any) -> Shape:
    """The shape of the reduction of `a` with its reduced axes kept as 1."""
    shape = shape_of(a)
    axes = range(len(shape)) if dim is None else np.atleast_1d(dim)
    reduced = {int(axis) % max(len(shape), 1) for axis in axes}
    return tuple(1 if axis in reduced else size for axis, size in enumerate(shape))


def _spread(g: Any, a: Any, dim: Any) -> Any:
    """Each element of `g` copied to all the elements of `a` that were reduced into it."""
    return np.broadcast_to(np.reshape(g, _kept_shape(a, dim)), shape_of(a))


def _reduced_count(y: Any, a: Any) -> float:
    """How many elements went into each element of the output."""
    return float(np.size(a) / max(np.size(y), 1))


def _axes_text(dim: str) -> str:
    if dim == "None":
        return ""
    return f" over axes {dim}" if dim.startswith("(") else f" over axis {dim}"


def _numbered(name: str) -> Any:
    """torch has one autograd node for the whole tensor (0) and another for given axes (1)."""

    def grad_fn(application: Application) -> str:
        return f"{name}Backward{0 if application.attributes['dim'] is None else 1}"

    return grad_fn


SUM = Operation(
    name="sum",
    forward=lambda a, dim, keepdim: np.sum(a, axis=dim, keepdims=keepdim),
    derivatives=(
        Derivative(
            rule=lambda g, y, a, dim, keepdim: _spread(g, a, dim),
            vjp="{g}, copied to every element of {a}",
            words="Every element counts once in the sum, so each receives the whole gradient.",
        ),
    ),
    notation=lambda a, dim, **_: f"Σ {a}{_axes_text(dim)}",
    torch=lambda torch, a, dim, keepdim: (
        torch.sum(a) if dim is None and not keepdim else torch.sum(a, dim, keepdim)
    ),
    grad_fn=_numbered("Sum"),
    words="the sum of all elements, or along axes",
    parameters=_REDUCTION_PARAMETERS,
    symbolic=lambda sympy, a, **_: a,
)

MEAN = Operation(
    name="mean",
    forward=lambda a, dim, keepdim: np.mean(a, axis=dim, keepdims=keepdim),
    derivatives=(
        Derivative(
            rule=lambda g, y, a, dim, keepdim: _spread(g, a, dim) / _reduced_count(y, a),
            vjp="{g}/n, copied to every element of {a}",
            words="Each of the n elements has one n-th of a say in the mean.",
        ),
    ),
    notation=lambda a, dim, **_: f"mean({a}){_axes_text(dim)}",
    torch=lambda torch, a, dim, keepdim: (
        torch.mean(a) if dim is None and not keepdim else torch.mean(a, dim, keepdim)
    ),
    grad_fn=_numbered("Mean"),
    words="the mean of all elements, or along axes",
    parameters=_REDUCTION_PARAMETERS,
    symbolic=lambda sympy, a, **_: a,
)

REDUCTIONS = (SUM, MEAN)
