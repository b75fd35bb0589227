"""The operations that let a value through and no gradient."""

from __future__ import annotations

from typing import Any

import numpy as np

from backprop_engine.basics.source import OperandError
from backprop_engine.catalogue.shared.entries import operation
from backprop_engine.operation import Sharing


def _item(a: Any) -> Any:
    if np.size(a) != 1:
        raise OperandError(
            f"a Tensor with {np.size(a)} elements cannot be converted to Scalar",
            "pick one of its elements, such as `x[0].item()`",
        )
    return np.reshape(a, ())


DETACH = operation(
    "detach",
    lambda a: a,
    differentiable=False,
    torch=lambda torch, a: a.detach(),
    sharing=Sharing.ALWAYS,
    words="The same value without its history: it counts as a constant, and no gradient "
    "goes back through it.",
    elementwise=True,
    example="x=3, y=x**2 * detach(x**2)",
    symbolic=lambda sympy, a: a,
)

DATA = operation(
    "data",
    lambda a: a,
    differentiable=False,
    torch=lambda torch, a: a.detach(),
    sharing=Sharing.ALWAYS,
    words="The same value without its history, as `detach` gives it; torch does not notice what is "
    "changed through it.",
    elementwise=True,
    functions=(),
    properties={"data": {}},
    example="x=3, y=x**2 * (x**2).data",
    symbolic=lambda sympy, a: a,
)

ITEM = operation(
    "item",
    _item,
    gives_number=True,
    differentiable=False,
    elementwise=True,
    torch=lambda torch, a: a.detach(),
    words="The one element as a number of Python's, without its history: it counts as a "
    "constant, and no gradient goes back through it.",
    example="x=3, y=x**2 * x.item()",
    symbolic=lambda sympy, a: a,
)
