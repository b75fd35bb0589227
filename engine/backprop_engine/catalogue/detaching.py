"""The operation that lets a value through and no gradient."""

from __future__ import annotations

from backprop_engine.operation import Operation

DETACHING = (
    Operation(
        name="detach",
        forward=lambda a: a,
        derivatives=(),
        differentiable=False,
        notation="detach({a})",
        torch=lambda torch, a: a.detach(),
        grad_fn="",
        words="The same value without its history: it counts as a constant, and no gradient "
        "goes back through it.",
        elementwise=True,
        example="x=3, y=x**2 * detach(x**2)",
        symbolic=lambda sympy, a: a,
    ),
)
