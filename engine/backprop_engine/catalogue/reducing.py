"""What losses share: one number from the losses of many elements, in numbers and in words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from backprop_engine.operation import Application, Kind, OperandError, Parameter, Template, fill
from backprop_engine.values import Shape, shape_of

_OLD = "write `reduction='none'`, `'mean'` or `'sum'`"

SIZE_AVERAGE = Parameter("size_average", Kind.FLAG, None, refusal=_OLD)
REDUCE = Parameter("reduce", Kind.FLAG, None, refusal=_OLD)
REDUCTION = Parameter("reduction", Kind.TEXT, "mean", choices=("none", "mean", "sum"))
WEIGHT = Parameter("weight", default=None, neutral=1.0, is_constant=True)
"""Of 1 where it is left out."""

LOSS_PARAMETERS = (Parameter("input"), Parameter("target"), SIZE_AVERAGE, REDUCE, REDUCTION)

Text = Callable[..., str]


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


def of_each(template: Template) -> Text:
    """A contribution as mathematics, of which each of the n elements of a mean has one n-th."""

    def text(**texts: str) -> str:
        share = "/n" if texts["reduction"] == "mean" else ""
        weight = f"·{texts['c']}" if "c" in texts else ""
        return fill(template, texts) + weight + share

    return text


def over_all(template: Template) -> Text:
    """A loss as mathematics: the mean or the sum over the elements."""

    def text(**texts: str) -> str:
        loss = fill(template, texts)
        if "c" in texts:
            loss = f"{texts['c']}·{loss}"
        if texts["reduction"] == "none":
            return loss
        return f"Σ {loss}" if texts["reduction"] == "sum" else f"mean({loss})"

    return text


def opened_as(statement: str) -> Text:
    """A composite: the loss of each element, weighted if there is a weight, then the reduction."""

    def text(shapes: tuple[Shape, ...], reduction: str, **texts: Any) -> str:
        before, newline, loss = statement.format(**texts).rpartition("\n")
        if len(shapes) > 2:
            loss = f"({loss}) * c"
        if reduction != "none":
            loss = f"l = {loss}\nl.{reduction}()"
        return before + newline + loss

    return text


def by_reduction(unreduced: str) -> Callable[[Application], str]:
    """The `grad_fn` of a loss that torch itself makes of parts."""

    def grad_fn(application: Application) -> str:
        names = {"none": unreduced, "mean": "MeanBackward0", "sum": "SumBackward0"}
        return names[application.attributes["reduction"]]

    return grad_fn


def check_same_shape(name: str, a: Any, b: Any) -> None:
    """Raise OperandError unless input and target of `name` have one shape."""
    if shape_of(a) != shape_of(b):
        raise OperandError(
            f"`{name}` takes an input and a target of one shape, "
            f"not {shape_of(a)} and {shape_of(b)}"
        )


def given(torch: Any, operand: Any) -> Any:
    """For a twin: an operand that may be left out, None where a number stands in for it."""
    return None if operand is None or torch.as_tensor(operand).ndim == 0 else operand
