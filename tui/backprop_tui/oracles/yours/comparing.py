"""Whether a learner's number is the right one, up to the rounding of another way to compute it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import numpy as np

from backprop_engine.basics import notation
from backprop_engine.basics.values import full_like, is_float
from backprop_engine.checking.compare import worst_element
from backprop_engine.mistakes.edge import Edge

_DOUBLE: Final = (1e-6, 1e-12)
_SINGLE: Final = (1e-3, 1e-6)
"""What a result may be off by beside its largest element, and beside what it was taken out of."""
_NEAR_A_KINK: Final = 1e-6


def agrees(theirs: Any, right: Any, *, is_single: bool = False, among: Any = 0.0) -> bool:
    """Whether `theirs`, perhaps the difference of two numbers as large as `among`, is `right`.

    Numbers may be arrays of one element.
    """
    a, b = np.asarray(theirs, float), np.asarray(right, float)
    if a.shape != b.shape:
        if a.size != 1 or b.size != 1:
            return False
        a, b = a.reshape(()), b.reshape(())
    relative, beside = _SINGLE if is_single else _DOUBLE
    with np.errstate(all="ignore"):
        largest = np.max(np.abs(b), initial=0.0)
        allowed = relative * largest + beside * np.max(np.abs(among), initial=0.0)
        near = (a == b) | (np.abs(a - b) <= allowed) | (np.isnan(a) & np.isnan(b))
    return bool(near.all())


def apart(theirs: Any, right: Any) -> str:
    """`3; 2 is right`: of arrays the element that differs most, and where it is."""
    a, b = np.asarray(theirs, float), np.asarray(right, float)
    if a.shape != b.shape or not a.ndim:
        return f"{notation.short(theirs)}; {notation.short(right)} is right"
    place = worst_element(a, b, np.inf)
    where = f"[{', '.join(map(str, place))}]"
    return f"{notation.number(a[place], 6)} at {where}; {notation.number(b[place], 6)} is right"


def is_between(edge: Edge, theirs: Any) -> bool:
    """Whether it lies between what is sent on either side of a kink at which the operand is."""
    if not edge.operation.elementwise or not is_float(edge.operand):
        return False
    sides: list[Any] = []
    for sign in (-1, 1):
        operands = list(edge.operands)
        step = _NEAR_A_KINK * np.maximum(np.abs(edge.operand), 1.0)
        operands[edge.position] = edge.operand + sign * step
        with np.errstate(all="ignore"):
            try:
                output = edge.operation.forward(*operands, **edge.attributes)
            except (ValueError, TypeError, ArithmeticError):
                return False
        sides.append(replace(edge, operands=operands, output=output).sent())
    if np.shape(theirs) != np.shape(sides[0]):
        return False
    low, high = np.minimum(*sides), np.maximum(*sides)
    room = 1e-3 * np.maximum(np.abs(low), np.abs(high))
    is_kink = high - low > 1e-2 * np.max(np.abs(full_like(edge.upstream, 1.0) * edge.upstream))
    return bool(np.any(is_kink) and np.all((theirs >= low - room) & (theirs <= high + room)))
