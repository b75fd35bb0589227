"""Choosing between values."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from backprop_engine.basics.memory_order import iterated, read_as
from backprop_engine.basics.source import OperandError
from backprop_engine.basics.values import dtype_of, where
from backprop_engine.catalogue.shared.entries import (
    INPUT,
    OTHER,
    by_number,
    flat,
    operation,
    symmetric,
)
from backprop_engine.operation import Derivative, Kind, Numbers, Operation, Parameter


def _first_of_equals(choose: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """A choice of two values that takes the first where they are equal: of 0 and −0 it is torch's.

    torch's vector lanes take the second of two zeros for `maximum` and `minimum`, and its scalar
    kernels, at the end of the same array, the first.
    """

    def chosen(a: Any, b: Any) -> Any:
        return where(np.equal(a, b), a, choose(a, b))

    return chosen


_maximum, _minimum = _first_of_equals(np.maximum), _first_of_equals(np.minimum)


def _clamp(a: Any, min: float | None, max: float | None) -> Any:  # noqa: A002 - torch's names
    if min is None and max is None:
        raise OperandError("`clamp` needs `min`, `max` or both", "write `clamp(x, min=0)`")
    if min is not None:
        a = _maximum(a, min)
    return a if max is None else _minimum(a, max)


def _between(g: Any, a: Any, low: Any, high: Any) -> Any:
    """The gradient from one bound up to the other, both included."""
    return where((a >= low) & (a <= high), g, 0.0)


def _clamp_rule(g: Any, _y: Any, a: Any, min: float | None, max: float | None) -> Any:  # noqa: A002
    return _between(g, a, -np.inf if min is None else min, np.inf if max is None else max)


def _clamp_text(low: str, high: str) -> str:
    """The template of a clamp; `low` and `high` are the holes of the bounds there are."""
    given = [f", {name}={hole}" for name, hole in (("min", low), ("max", high)) if hole]
    return f"clamp({{a}}{''.join(given)})"


def _clamp_gate(low: str, high: str) -> str:
    return f"[{low and f'{low} ≤ '}{{a}}{high and f' ≤ {high}'}]"


def _numbers_given(min: float | None, max: float | None, **_: Any) -> tuple[str, str]:  # noqa: A002
    return "" if min is None else "{min}", "" if max is None else "{max}"


def _values_given(numbers: Numbers, **_: Any) -> tuple[str, str]:
    """A lower bound of −∞ stands for one that was left out."""
    return "" if numbers[1] == -np.inf else "{b}", "{c}" if len(numbers) > 2 else ""


def _clamp_symbolic(sp: Any, a: Any, min: Any, max: Any) -> Any:  # noqa: A002 - torch's names
    pieces = [(max, a > max)] if max is not None else []
    if min is not None:
        pieces.append((min, a < min))
    return sp.Piecewise(*pieces, (a, True))


CLAMP = operation(
    "clamp",
    _clamp,
    rule=_clamp_rule,
    local=lambda **facts: _clamp_gate(*_numbers_given(**facts)),
    because="A gate: open up to and at the bounds, shut beyond them.",
    notation=lambda **facts: _clamp_text(*_numbers_given(**facts)),
    grad_fn="ClampBackward1",
    words="the value, cut off at two bounds",
    parameters=(INPUT, Kind.SCALAR("min", None), Kind.SCALAR("max", None)),
    functions=("clamp", "clip"),
    symbolic=_clamp_symbolic,
    example="x=[-2, 0.5, 3], y=clamp(x, -1, 1).sum()",
)


def _clamp_twin(torch: Any, a: Any, b: Any, c: Any = None) -> Any:
    """With a lower bound that is smaller than `c`, torch's own backward fails over the shapes."""
    is_left_out = c is not None and not b.requires_grad and bool((b == -np.inf).all())
    return torch.clamp(a, None if is_left_out else b, c)


def _held_where_equal(
    operands: list[Any], recorded: list[Any], attributes: Mapping[str, Any]
) -> tuple[list[Any], Mapping[str, Any]]:
    """Of equal bounds torch lets neither have a share where they take the place of a smaller value,
    or of one that is equal: that has all of it.
    """
    if len(operands) < 3:
        return operands, attributes
    # In float64 as the run is: a float32 beside numbers of Python's would make it one in float32.
    value, *bounds = (np.asarray(one, dtype=float) for one in recorded)
    is_held = np.equal(*bounds) & np.less_equal(value, bounds[0])
    held = where(np.equal(value, bounds[0]), operands[0], bounds[0])
    moved = (where(is_held, held, bound) for bound in operands[1:])
    return [operands[0], *moved], attributes


CLAMP_TENSOR = operation(
    "clamp.tensor",
    lambda a, b, c=np.inf: _minimum(_maximum(a, b), c),
    Derivative(
        rule=lambda g, y, a, b, c=np.inf: _between(g, a, b, c),
        local=lambda **facts: _clamp_gate(*_values_given(**facts)),
        words="A gate: open up to and at the bounds, shut beyond them.",
    ),
    Derivative(
        rule=lambda g, y, a, b, c=None: where((a < b) & (c is None or b < c), g, 0.0),
        local=lambda numbers, **_: "[{a} < {b} < {c}]" if len(numbers) > 2 else "[{a} < {b}]",
        words="Where the lower bound took the value's place, it receives the gradient.",
    ),
    Derivative(
        rule=lambda g, y, a, b, c: where((a > c) | (c < b), g, 0.0),
        local=lambda numbers, **_: (
            "[{a} > {c}]" if numbers[1] == -np.inf else "[{a} > {c} or {b} > {c}]"
        ),
        words="Where the upper bound took the value's place, it receives the gradient.",
    ),
    notation=lambda **facts: _clamp_text(*_values_given(**facts)),
    torch=_clamp_twin,
    words="the value, cut off at two bounds that are values themselves",
    parameters=(
        INPUT,
        Parameter("min", default=None, neutral=-np.inf),
        Parameter("max", default=None),
    ),
    functions=("clamp", "clip"),
    differentiated_at=_held_where_equal,
    symbolic=lambda sp, a, b, c=np.inf: sp.Piecewise((c, (a > c) | (c < b)), (b, a < b), (a, True)),
    example="x=[-2, 0.5, 3], low=-1, high=1, y=clamp(x, low, high).sum()",
)


def _bound(
    name: str, choose: Callable[[Any, Any], Any], inside: str, outside: str, example: str
) -> Operation:
    """`clamp_min` or `clamp_max`: a value stays as it is where it is `inside` of its bound."""
    is_least = inside == "above"
    within, beyond = (operator.ge, operator.lt) if is_least else (operator.le, operator.gt)
    return operation(
        name,
        choose,
        Derivative(
            rule=lambda g, y, a, b: where(within(a, b), g, 0.0),
            local=f"[{{a}} {'≥' if is_least else '≤'} {{b}}]",
            words=f"A gate: open at and {inside} the bound, shut {outside} it.",
        ),
        Derivative(
            rule=lambda g, y, a, b: where(beyond(a, b), g, 0.0),
            local=f"[{{a}} {'<' if is_least else '>'} {{b}}]",
            words="Where the bound took the value's place, it receives the gradient.",
        ),
        notation=f"clamp({{a}}, {name[-3:]}={{b}})",
        torch=lambda torch, a, b: getattr(torch, name)(torch.as_tensor(a), b),
        grad_fn=by_number(name),
        words=f"the value, but no {'less' if is_least else 'more'} than a bound",
        parameters=(INPUT, Parameter(name[-3:])),
        arithmetic=True,
        symbolic=lambda sp, a, b: sp.Piecewise((b, beyond(a, b)), (a, True)),
        composite=f"where({within.__name__}(a, b), a, b)",
        example=example,
    )


CLAMP_MIN = _bound("clamp_min", _maximum, "above", "below", "x=[-2, 3], y=clamp_min(x, 0).sum()")
CLAMP_MAX = _bound("clamp_max", _minimum, "below", "above", "x=[-2, 3], y=clamp_max(x, 0).sum()")


def _shared(g: Any, is_equal: Any, is_other: Any) -> Any:
    """The gradient of one of two that are compared: whole, half of it at a tie, or nothing."""
    return where(is_other, 0.0, where(is_equal, g / 2, g))


def _sharing(
    name: str, sign: str, other_beyond: Callable[..., Any], size: str, example: str
) -> Operation:
    """`maximum` or `minimum`, whose `sign` says which of two it is; two equal ones share."""
    above = "gt" if sign == ">" else "lt"
    return operation(
        name,
        _first_of_equals(getattr(np, name)),
        *symmetric(
            lambda g, y, a, b: _shared(g, a == b, other_beyond(a, b)),
            f"The {size} one receives the gradient; two equal ones share it half and half.",
            local=f"1 if {{a}} {sign} {{b}} else 1/2 if {{a}} = {{b}} else 0",
        ),
        notation=f"{name[:3]}({{a}}, {{b}})",
        words=f"the {size} of two values",
        functions=(name, name[:3]),
        symbolic=lambda sp, a, b: getattr(sp, name[:3].capitalize())(a, b),
        composite=f"where(eq(a, b), a / 2 + b / 2, where({above}(a, b), a, b))",
        example=example,
    )


MAXIMUM = _sharing("maximum", ">", operator.lt, "larger", "x=2, z=2, y=maximum(x, z)")
MINIMUM = _sharing("minimum", "<", operator.gt, "smaller", "x=2, z=3, y=minimum(x, z)")


def _first(name: str, sign: str, holds: Callable[..., Any], size: str, example: str) -> Operation:
    """`fmax` or `fmin`: the first of two where it `holds` that it is beyond the other, or equal."""
    words = f"The {size} one receives the gradient, the first of two equal ones."
    return operation(
        name,
        _first_of_equals(getattr(np, name)),
        Derivative(
            rule=lambda g, y, a, b: where(holds(a, b) | (b != b), g, 0.0),
            local=f"1 if {{a}} {sign} {{b}} else 0",
            words=words,
        ),
        Derivative(
            rule=lambda g, y, a, b: where(holds(a, b) | (b != b), 0.0, g),
            local=f"0 if {{a}} {sign} {{b}} else 1",
            words=words,
        ),
        words=f"the {size} of two values, or the one that is not nan",
        symbolic=lambda sp, a, b: sp.Piecewise((a, holds(a, b)), (b, True)),
        composite=f"where({holds.__name__}(a, b), a, b)",
        example=example,
    )


FMAX = _first("fmax", "≥", operator.ge, "larger", "x=2, z=2, y=fmax(x, z)**2")
FMIN = _first("fmin", "≤", operator.le, "smaller", "x=2, z=3, y=fmin(x, z)**2")


def _where_order(made: Any, operands: Sequence[Any], _: Mapping[str, Any]) -> Any:
    condition, *values = operands
    return iterated(made, [condition, *(read_as(made.dtype, value) for value in values)])


def _where(condition: Any, a: Any, b: Any) -> Any:
    if dtype_of(condition) != "bool":
        raise OperandError(
            f"`where` takes a condition that is true or false, not {dtype_of(condition)}",
            "compare it, as in `where(x > 0, x, 0)`",
        )
    return np.where(condition, a, b)


WHERE = operation(
    "where",
    _where,
    flat("The condition is true or false and receives no gradient."),
    Derivative(
        rule=lambda g, y, condition, a, b: np.where(condition, g, 0.0),
        local="1 if {a} else 0",
        words="Only where it was chosen does it receive the gradient.",
    ),
    Derivative(
        rule=lambda g, y, condition, a, b: np.where(condition, 0.0, g),
        local="0 if {a} else 1",
        words="Only where it was chosen does it receive the gradient.",
    ),
    lay_out=_where_order,
    notation="{b} if {a} else {c}",
    words="one value where a condition holds, another elsewhere",
    parameters=(Parameter("condition"), INPUT, OTHER),
    method=("input", "condition", "other"),
    symbolic=lambda sp, condition, a, b: sp.Piecewise((a, condition), (b, True)),
    example="x=[-1, 2], y=where(gt(x, 0), x**2, 0).sum()",
)
