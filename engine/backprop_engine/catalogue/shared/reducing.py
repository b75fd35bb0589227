"""What losses share: one number from the losses of many elements, in numbers and in words."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from backprop_engine.basics.memory_order import as_operands
from backprop_engine.basics.source import OperandError
from backprop_engine.basics.values import Shape, shape_of
from backprop_engine.catalogue.shared.entries import INPUT, in_steps
from backprop_engine.operation import Application, Kind, Numbers, Parameter, Template, chosen

_OLD = "write `reduction='none'`, `'mean'` or `'sum'`"

SIZE_AVERAGE = Kind.FLAG("size_average", None, refusal=_OLD)
REDUCE = Kind.FLAG("reduce", None, refusal=_OLD)
REDUCTION = Kind.TEXT("reduction", "mean", choices=("none", "mean", "sum"))
WEIGHT = Parameter("weight", default=None, neutral=1.0, is_constant=True)
"""Of 1 where it is left out."""

LOSS_PARAMETERS = (INPUT, Parameter("target"), SIZE_AVERAGE, REDUCE, REDUCTION)

broadcast_loss = partial(in_steps, broadcasts=True, lay_out=as_operands)
"""An entry of a loss whose operands need not have one shape."""

Text = Callable[..., str]
"""What makes a template, or the statements of a composite, of attributes and operands."""


def reduced(losses: Any, reduction: str) -> Any:
    """The losses themselves, their mean or their sum."""
    if reduction == "none":
        return losses
    total = np.sum(losses)
    return total if reduction == "sum" else total / np.size(losses)


def spread(g: Any, losses: Any, reduction: str) -> Any:
    """The upstream gradient of each single loss, of the shape of `losses`."""
    if reduction == "mean":
        g = g / np.size(losses)
    return np.broadcast_to(g, np.shape(losses))


def is_given(numbers: Numbers, position: int) -> bool:
    """Whether an operand is there, and more than the 1 that stands in for a weight left out."""
    return len(numbers) > position and numbers[position] != 1


def of_each(template: Template, *, has_weight: bool = True) -> Text:
    """A contribution as mathematics: the slope, for a mean divided by its n, times {g}.

    `has_weight` is whether a third operand is one.
    """

    def text(numbers: Numbers, reduction: str, **facts: Any) -> str:
        weight = "·{c}" if has_weight and is_given(numbers, 2) else ""
        share = "/n" if reduction in ("mean", "batchmean") else ""
        return f"{chosen(template, numbers, facts)}{weight}{share}·{{g}}"

    return text


def over_all(template: Template, *, is_sum: bool = False) -> Text:
    """A loss as mathematics: the mean or the sum of what each element costs.

    Where that `is_sum` itself, it needs brackets to be weighted or summed.
    """

    def text(numbers: Numbers, reduction: str, **facts: Any) -> str:
        loss = chosen(template, numbers, facts)
        if is_given(numbers, 2):
            loss = f"{{c}}·({loss})" if is_sum else f"{{c}}·{loss}"
        elif is_sum and reduction in ("sum", "batchmean"):
            loss = f"({loss})"
        forms = {"mean": f"mean({loss})", "sum": f"Σ {loss}", "batchmean": f"Σ {loss}/n"}
        return forms.get(reduction, loss)

    return text


def opened_as(statement: str, *, has_weight: bool = True) -> Text:
    """A composite: the loss of each element, weighted if there is a weight, then the reduction."""

    def text(shapes: tuple[Shape, ...], reduction: str, **attributes: Any) -> str:
        before, newline, loss = statement.format(**attributes).rpartition("\n")
        if has_weight and len(shapes) > 2:
            loss = f"({loss}) * c"
        if reduction != "none":
            loss = f"l = {loss}\nl.{reduction}()"
        return before + newline + loss

    return text


def by_reduction(unreduced: str | Callable[..., str]) -> Callable[[Application], str]:
    """The `grad_fn` of a loss that torch itself makes of parts, the last of which may depend on the
    attributes.
    """

    def grad_fn(application: Application) -> str:
        attributes = application.attributes
        last = unreduced if isinstance(unreduced, str) else unreduced(**attributes)
        names = {"none": last, "mean": "MeanBackward0", "sum": "SumBackward0"}
        return names[attributes["reduction"]]

    return grad_fn


def check_same_shape(name: str, a: Any, b: Any) -> None:
    """Raise OperandError unless input and target of `name` have one shape."""
    if shape_of(a) != shape_of(b):
        raise OperandError(
            f"`{name}` takes an input and a target of one shape, "
            f"not {shape_of(a)} and {shape_of(b)}",
            "reshape one of them to the shape of the other",
        )


def given(torch: Any, operand: Any) -> Any:
    """For a twin: an operand that may be left out, None where a number stands in for it."""
    return None if operand is None or torch.as_tensor(operand).ndim == 0 else operand
