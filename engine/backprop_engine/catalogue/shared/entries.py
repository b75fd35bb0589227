"""Constructors for entries, which say only what does not follow from the name and the operands."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from functools import cache, partial
from itertools import takewhile
from operator import attrgetter
from typing import Any, Final

import numpy as np

from backprop_engine.basics import values
from backprop_engine.basics.memory_order import as_it_is, as_operands, by_rows
from backprop_engine.basics.values import full_like
from backprop_engine.operation import (
    OPERAND_LETTERS,
    REQUIRED,
    Application,
    Derivative,
    Description,
    Kind,
    Operation,
    Parameter,
    Rounding,
    Rule,
    Spelling,
    Template,
    Twins,
    operands_of,
)

INPUT: Final = Parameter("input")
OTHER: Final = Parameter("other")
TWO_OPERANDS: Final = (INPUT, OTHER)
INPLACE: Final = Parameter("inplace", Kind.FLAG, False, is_ignored=True)
"""torch's activations may overwrite their input, which changes no number."""

_PLACES = ("linalg.", "special.", "Tensor.")
"""Beginnings of names that are paths of torch's; another dot is before the form of a function."""
_FIELDS: Final[Mapping[type[Any], tuple[str, ...]]] = {
    part: tuple(field.name for field in fields(part)) for part in (Spelling, Description, Twins)
}


def at_nan(operands: Sequence[Any], *_: Any) -> Any:
    """Where the operand is nan: torch's kernels take that for one side of a bound in their vectors
    and for the other in what is left over, so that its place decides.
    """
    return np.isnan(operands[0])


def operation(
    name: str,
    forward: Callable[..., Any],
    *derivatives: Derivative,
    rule: Rule | None = None,
    local: Template | None = None,
    vjp: Template | None = None,
    because: str = "",
    torch: str | Callable[..., Any] = "",
    parameters: tuple[Parameter, ...] = (),
    **rest: Any,
) -> Operation:
    """An operation whose function, twin, notation and autograd node are called like itself.

    `exp` is `torch.exp`, written `exp({a})`, and makes an `ExpBackward0`; `max.dim` is a form of
    `max` and has its name. Where that is not so, the entry says otherwise: `torch` is a function,
    or a path such as `linalg.det`. The notation has what a call must give. A single derivative may
    be written as `rule`, `local` or `vjp`, and `because`; two have two `parameters`, where none are
    given. Elements do not mix where all derivatives are `local`. `wide=True` is for all parameters.
    """
    if rule is not None:
        derivatives = (Derivative(rule, local, vjp, because),)
    called = name if name.startswith(_PLACES) else name.partition(".")[0]
    path = called if callable(torch) else torch or called
    parameters = parameters or (TWO_OPERANDS if len(derivatives) == 2 else (INPUT,))
    entry: dict[str, Any] = {
        "functions": (called,),
        "method": tuple(parameter.name for parameter in parameters),
        "notation": _notation(called.rpartition(".")[2], parameters),
        "grad_fn": autograd_node(path.replace(".", "_")) if derivatives else "",
        "elementwise": bool(derivatives) and all(each.local is not None for each in derivatives),
    } | rest
    entry.setdefault("rounding", Rounding.ULP if entry["elementwise"] else Rounding.TERMS)
    if entry.get("wide") is True:
        entry["wide"] = tuple(parameter.name for parameter in parameters)
    in_own_memory = as_operands if entry["elementwise"] else by_rows
    entry.setdefault("lay_out", as_it_is if "sharing" in entry else in_own_memory)

    def of(part: type[Any]) -> dict[str, Any]:
        return {name: entry.pop(name) for name in _FIELDS[part] if name in entry}

    return Operation(
        name,
        forward,
        derivatives,
        Spelling(parameters=parameters, **of(Spelling)),
        Description(**of(Description)),
        Twins(torch if callable(torch) else twin(path, parameters), **of(Twins)),
        **entry,
    )


def _notation(name: str, parameters: Sequence[Parameter]) -> str:
    """`gather({a}, {dim}, {b})`: the operands, and the attributes that have no default."""
    letters, operands = iter(OPERAND_LETTERS), operands_of(parameters)
    given = (
        next(letters) if parameter in operands else parameter.name
        for parameter in parameters
        if parameter in operands
        or (parameter.default is REQUIRED and parameter.kind is not Kind.OPERANDS)
    )
    return f"{name}({', '.join(f'{{{each}}}' for each in given)})"


in_steps = partial(operation, rounding=Rounding.CONDITION)
"""An operation that is computed in several steps: a softmax, a norm, an inverse."""


def autograd_node(name: str, number: int = 0) -> str:
    """The class name torch makes of a function's: `index_add` → `IndexAddBackward0`."""
    return "".join(word[:1].upper() + word[1:] for word in name.split("_")) + f"Backward{number}"


def by_number(
    name: str, position: int = 1, *, number: int = 0, tensor: int = 1
) -> Callable[[Application], str]:
    """torch has one autograd node for a number at this operand, and another for a tensor."""
    return lambda application: autograd_node(
        name, number if application.numbers[position] else tensor
    )


def twin(path: str, parameters: tuple[Parameter, ...] = (INPUT,)) -> Callable[..., Any]:
    """torch's function of this name: operands in front by position, all else by keyword.

    It is not told of what was left out: an attribute that is None, or a weight in whose place a
    number stands. Of several outputs it is the one at the attribute `output`.
    """
    is_list = parameters[0].kind is Kind.OPERANDS
    operands = operands_of(parameters)
    front = sum(1 for _ in takewhile(operands.__contains__, parameters))
    can_be_left_out = any(operand.neutral is not None for operand in operands)
    is_plain = front == len(operands) > 0 and not can_be_left_out

    def call(torch: Any, *values: Any, output: int | None = None, **attributes: Any) -> Any:
        if is_plain and not attributes and output is None:
            return _function(torch, path)(*values)
        named = {name: value for name, value in attributes.items() if value is not None}
        given = [values] if is_list else list(values)
        for at, (operand, value) in enumerate(zip(operands, values, strict=False)):
            if operand.neutral is not None and torch.as_tensor(value).ndim == 0:
                given[at] = None
            if at >= front:
                named[operand.name] = given[at]
        result = _function(torch, path)(*given[: front or 1], **named)
        return result if output is None else result[output]

    return call


@cache
def _function(torch: Any, path: str) -> Any:
    """The function of `torch.nn.functional`, else of `torch`, else the method of its tensors."""
    if "." in path:
        return attrgetter(path)(torch)
    places = (torch.nn.functional, torch, torch.Tensor)
    return next(getattr(place, path) for place in places if hasattr(place, path))


def scaled(factor: float, name: str, text: str) -> str:
    """`2·x` as a template, `name` for the factor, and `x` for a factor of 1."""
    return text if factor == 1 else f"{name}·{text}"


def well_known(name: str, **rest: Any) -> Operation:
    """A function of one number that Python, torch and sympy call alike."""

    def symbolic(sympy: Any, a: Any) -> Any:
        return getattr(sympy, name)(a)

    return operation(name, getattr(values, name), symbolic=symbolic, **rest)


def activation(
    name: str,
    forward: Callable[..., Any],
    *,
    attributes: tuple[Parameter, ...] = (),
    **rest: Any,
) -> Operation:
    """An operation on one value that torch's users may write with `inplace=True`."""
    return operation(name, forward, **({"parameters": (INPUT, *attributes, INPLACE)} | rest))


def symmetric(
    rule: Rule, words: str, *, local: str | None = None, vjp: str | None = None
) -> tuple[Derivative, Derivative]:
    """The derivatives of an operation whose operands may be exchanged: the one by the second is
    that by the first, with each in the other's place.
    """

    def exchanged(text: str | None) -> str | None:
        return text and re.sub(r"\{([ab])\}", lambda hole: "{b}" if hole[1] == "a" else "{a}", text)

    def other(g: Any, y: Any, a: Any, b: Any, **attributes: Any) -> Any:
        return rule(g, y, b, a, **attributes)

    return (
        Derivative(rule, local, vjp, words),
        Derivative(other, exchanged(local), exchanged(vjp), words),
    )


def flat(words: str) -> Derivative:
    """The derivative by what does not move the result, or moves it in jumps alone."""
    return Derivative(rule=lambda g, *_, **__: full_like(g, 0.0), local="0", words=words)


def step(name: str, forward: Callable[..., Any], *, because: str, **rest: Any) -> Operation:
    """An operation on one value that is constant between its jumps."""
    return operation(name, forward, flat(because), **rest)


def predicate(name: str, forward: Callable[..., Any], **rest: Any) -> Operation:
    """An operation that answers with truth values, through which no gradient goes."""
    return operation(name, forward, elementwise=True, **rest)
