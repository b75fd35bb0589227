"""`einsum`: sums of products written as an equation, and their derivatives as equations too."""

from __future__ import annotations

import string
from collections import Counter
from typing import Any

import numpy as np

from backprop_engine.basics.memory_order import left_open
from backprop_engine.basics.source import OperandError
from backprop_engine.basics.values import Shape, shape_of
from backprop_engine.budget import check_elements, check_products
from backprop_engine.catalogue.shared.axes import refuse_mixed
from backprop_engine.catalogue.shared.entries import operation
from backprop_engine.operation import OPERAND_LETTERS, Application, Kind, Numbers

_DOTS = "..."


def _labels(equation: str, shapes: list[Shape]) -> tuple[list[str], str]:
    """The axes of each operand and of the output as letters; `...` becomes letters of its own."""
    left, arrow, output = equation.replace(" ", "").partition("->")
    inputs = left.split(",")
    if len(inputs) != len(shapes):
        raise OperandError(
            f"`einsum` has {len(shapes)} operands, but {equation!r} names {len(inputs)}",
            "separate the axes of operands by commas, as in `'ij,jk->ik'`",
        )
    letters = set(equation.replace(_DOTS, "")) - set(" ,->")
    if not letters <= set(string.ascii_letters):
        wrong = min(letters - set(string.ascii_letters))
        raise OperandError(
            f"`einsum` names axes by letters, and {wrong!r} is none",
            "write one letter for each axis, as in `'ij,jk->ik'`",
        )
    spare = "".join(sorted(set(string.ascii_letters) - letters))
    dots = ""
    for position, (labels, shape) in enumerate(zip(inputs, shapes, strict=True)):
        hidden = len(shape) - len(labels.replace(_DOTS, ""))
        if hidden < 0 or (hidden and _DOTS not in labels):
            raise OperandError(
                f"`einsum`: `{labels}` in {equation!r} does not name the axes of shape {shape}",
                "write one letter for each axis",
            )
        own = spare[len(spare) - hidden :]  # from the right, as shapes are broadcast
        inputs[position] = labels.replace(_DOTS, own)
        dots = max(dots, own, key=len)
    if not arrow:
        counts = Counter("".join(inputs))
        output = _DOTS + "".join(sorted(letter for letter in letters if counts[letter] == 1))
    output = output.replace(_DOTS, dots)
    unknown = set(output) - set("".join(inputs))
    if unknown or len(set(output)) != len(output):
        raise OperandError(
            f"`einsum`: the output of {equation!r} must name each of its axes once, and only axes "
            "of the operands",
            "take letters from the left of `->`, each once",
        )
    return inputs, output


def _checked(inputs: list[str], shapes: list[Shape]) -> dict[str, int]:
    """The size of each letter; OperandError where it stands for axes of different length."""
    sizes: dict[str, int] = {}
    for labels, shape in zip(inputs, shapes, strict=True):
        for label, size in zip(labels, shape, strict=True):
            if size != sizes.setdefault(label, size) and 1 not in (size, sizes[label]):
                raise OperandError(
                    f"`einsum` cannot multiply shapes {' and '.join(map(str, shapes))}: "
                    f"`{label}` would be {sizes[label]} and {size}",
                    "an axis of one letter has one length everywhere",
                )
            sizes[label] = max(size, sizes[label])
    return sizes


def _check_cost(inputs: list[str], output: str, sizes: dict[str, int], path: list[Any]) -> None:
    """Raise LimitError if a step of the path makes too large an array, or takes too long."""
    terms = [set(letters) for letters in inputs]
    for chosen in path:
        taken = set().union(*(terms[at] for at in chosen))
        terms = [term for at, term in enumerate(terms) if at not in chosen]
        kept = taken & set(output).union(*terms)
        check_elements(*(sizes[letter] for letter in kept))
        check_products(*(sizes[letter] for letter in taken))
        terms.append(kept)


def _einsum(*operands: Any, equation: str) -> Any:
    shapes = [shape_of(operand) for operand in operands]
    inputs, output = _labels(equation, shapes)
    sizes = _checked(inputs, shapes)
    if len(operands) > 1:
        refuse_mixed("einsum", *operands)
    spelling, is_long = f"{','.join(inputs)}->{output}", len(operands) > 2
    path = np.einsum_path(spelling, *operands)[0][1:] if is_long else [range(len(operands))]
    _check_cost(inputs, output, sizes, path)
    return np.einsum(spelling, *operands, optimize=is_long)


def _einsum_rule(g: Any, _y: Any, *operands: Any, equation: str, position: int) -> Any:
    """The upstream gradient takes the operand's place and the operand's axes the output's.

    Axes that only this operand has were summed over: the gradient is copied along them. A letter
    that stands twice in the operand picked its diagonal: the gradient is put back there.
    """
    shapes = [shape_of(operand) for operand in operands]
    inputs, output = _labels(equation, shapes)
    mine, shape = inputs[position], shapes[position]
    others = [at for at in range(len(operands)) if at != position]
    known = set(output).union(*(inputs[at] for at in others))
    unique = "".join(dict.fromkeys(mine))
    found = "".join(label for label in unique if label in known)
    terms = ",".join([output, *(inputs[at] for at in others)])
    sent = np.einsum(
        f"{terms}->{found}", g, *(operands[at] for at in others), optimize=len(operands) > 2
    )
    sizes = [shape[mine.index(label)] for label in unique]
    stretched = tuple(
        at for at, label in enumerate(found) if shape[mine.index(label)] == 1 != sent.shape[at]
    )
    sent = np.sum(sent, axis=stretched, keepdims=True)
    missing = tuple(at for at, label in enumerate(unique) if label not in known)
    sent = np.broadcast_to(np.expand_dims(sent, missing), sizes)
    if unique == mine:
        return sent
    gradient = np.zeros(shape, sent.dtype)
    # `ii->i` of numpy is a view of the diagonal, so that writing to it writes there.
    np.einsum(f"{mine}->{unique}", gradient)[...] = sent
    return gradient


def _einsum_grad_fn(application: Application) -> str:
    inputs, output = _labels(application.attributes["equation"], list(application.shapes))
    sums = bool(set("".join(inputs)) - set(output))
    if len(inputs) == 1:
        return "SumBackward1" if sums else "PermuteBackward0"
    return "ViewBackward0" if sums else "MulBackward0"


def _notation(numbers: Numbers, **_: Any) -> str:
    named = [f"{{{letter}}}" for letter in OPERAND_LETTERS[: len(numbers)]]
    return f"einsum({{equation}}; {', '.join(named)})"


EINSUM = operation(
    "einsum",
    _einsum,
    rule=_einsum_rule,
    vjp="einsum of {g} and the other operands, to the axes of this one",
    because="Each product in the sum hands its gradient to each factor, times the others: "
    "the same equation with the output and the operand exchanged.",
    lay_out=left_open,
    notation=_notation,
    torch=lambda torch, *operands, equation: torch.einsum(equation, *operands),
    grad_fn=_einsum_grad_fn,
    words="sums of products, as an equation over the letters of the axes says",
    parameters=(Kind.TEXT("equation"), Kind.OPERANDS("operands", is_spread=True)),
    variadic=True,
    example="A=[[1,2],[3,4]], x=[5,6], v=einsum('ij,j->i', A, x), y=v.sum()",
)
