"""Constructors for entries of operations whose elements do not mix, so that each stays short."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from backprop_engine.basics.values import full_like
from backprop_engine.operation import Derivative, Kind, Operation, Parameter, Rule, Template

INPUT: Final = Parameter("input")
OTHER: Final = Parameter("other")
TWO_OPERANDS: Final = (INPUT, OTHER)
INPLACE: Final = Parameter("inplace", Kind.FLAG, False, is_ignored=True)
"""torch's activations may overwrite their input, which changes no number."""


def twin(name: str) -> Callable[..., Any]:
    """`torch.NAME`, given operands by position and attributes by keyword."""
    return lambda torch, *operands, **attributes: getattr(torch, name)(*operands, **attributes)


def functional_twin(name: str) -> Callable[..., Any]:
    """`torch.nn.functional.NAME`, given operands by position and attributes by keyword."""
    return lambda torch, *operands, **attributes: getattr(torch.nn.functional, name)(
        *operands, **attributes
    )


def scaled(factor: float, name: str, text: str) -> str:
    """`2·x` as a template, `name` for the factor, and `x` for a factor of 1."""
    return text if factor == 1 else f"{name}·{text}"


def elementwise(
    name: str, forward: Callable[..., Any], *derivatives: Derivative, **entry: Any
) -> Operation:
    """An operation element by element; its twin is `torch.NAME` unless the entry says otherwise."""
    defaults: dict[str, Any] = {"torch": twin(name), "elementwise": True}
    return Operation(name=name, forward=forward, derivatives=derivatives, **(defaults | entry))


def unary(
    name: str,
    forward: Callable[..., Any],
    *,
    rule: Rule,
    local: Template,
    because: str,
    **entry: Any,
) -> Operation:
    """An operation on one value; `because` explains its derivative."""
    return elementwise(name, forward, Derivative(rule, local, words=because), **entry)


def activation(
    name: str,
    forward: Callable[..., Any],
    *,
    attributes: tuple[Parameter, ...] = (),
    **entry: Any,
) -> Operation:
    """An operation on one value that torch keeps in `torch.nn.functional`."""
    entry.setdefault("torch", functional_twin(name))
    entry.setdefault("parameters", (INPUT, *attributes, INPLACE))
    return unary(name, forward, **entry)


def step(name: str, forward: Callable[..., Any], *, because: str, **entry: Any) -> Operation:
    """An operation on one value that is constant between its jumps."""
    return unary(
        name,
        forward,
        rule=lambda g, y, a, **_: full_like(g, 0.0),
        local="0",
        because=because,
        **entry,
    )


def predicate(name: str, forward: Callable[..., Any], **entry: Any) -> Operation:
    """An operation that answers with truth values, through which no gradient goes."""
    return elementwise(name, forward, **({"grad_fn": ""} | entry))
