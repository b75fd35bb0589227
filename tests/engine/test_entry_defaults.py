"""What an entry of the catalogue does not say follows from its name and its operands."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from backprop_engine.catalogue import GROUPS, OPERATIONS
from backprop_engine.catalogue.shared.entries import (
    INPUT,
    TWO_OPERANDS,
    in_steps,
    operation,
    predicate,
    twin,
)
from backprop_engine.operation import Derivative, Kind, Operation, Parameter, Rounding

WEIGHT = Parameter("weight", default=None, neutral=1.0)


def made(name: str, **entry: Any) -> Operation:
    return operation(name, np.exp, rule=lambda g, y, a: g * y, local="{y}", **entry)


def test_an_operation_is_called_written_and_differentiated_by_its_name():
    index_add = made("index_add", parameters=(*TWO_OPERANDS, Kind.NUMBER("alpha", 1.0)))
    assert index_add.spelling.functions == ("index_add",)
    assert index_add.spelling.method == ("input", "other", "alpha")
    assert index_add.description.notation == "index_add({a}, {b})"
    assert index_add.twins.grad_fn == "IndexAddBackward0"


def test_the_notation_has_what_a_call_must_give():
    parameters = (INPUT, Kind.AXIS("dim"), Parameter("index"), Kind.FLAG("sparse_grad", False))
    assert made("gather", parameters=parameters).description.notation == "gather({a}, {dim}, {b})"


def test_two_derivatives_are_those_by_input_and_other():
    halves = (Derivative(rule=lambda g, *_: g / 2, local="1/2"),) * 2
    assert operation("middle", np.add, *halves).spelling.parameters == TWO_OPERANDS


def test_a_form_of_a_function_goes_by_the_name_of_the_function():
    form = made("exp.wide")
    assert (form.name, form.spelling.functions) == ("exp.wide", ("exp",))
    assert (form.description.notation, form.twins.grad_fn) == ("exp({a})", "ExpBackward0")
    assert form.twins.torch(torch, torch.tensor(0.0)) == 1.0


def test_a_path_of_torch_is_a_name():
    inverse = made("linalg.inv")
    assert inverse.spelling.functions == ("linalg.inv",)
    assert (inverse.description.notation, inverse.twins.grad_fn) == (
        "inv({a})",
        "LinalgInvBackward0",
    )
    assert inverse.twins.torch(torch, torch.tensor([[4.0]])) == 0.25


def test_without_a_derivative_there_is_no_node_of_torch():
    assert operation("argmax", np.argmax).twins.grad_fn == ""


@pytest.mark.parametrize(
    ("entry", "elementwise", "rounding"),
    [
        (made("exp"), True, Rounding.ULP),
        (operation("sum", np.sum, rule=lambda g, y, a: g, vjp="{g}"), False, Rounding.TERMS),
        (operation("sum", np.sum, Derivative(lambda g, y, a: g)), False, Rounding.TERMS),
        (in_steps("exp", np.exp, rule=lambda g, y, a: g, local="1"), True, Rounding.CONDITION),
        (predicate("isnan", np.isnan), True, Rounding.ULP),
    ],
)
def test_elements_mix_where_a_derivative_is_not_local(entry, elementwise, rounding):
    assert (entry.elementwise, entry.rounding) == (elementwise, rounding)


def test_a_field_that_no_part_has_is_refused():
    with pytest.raises(TypeError, match="wrods"):
        made("exp", wrods="e to the power of a value")


def told(*operands: Any, **attributes: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    return operands, attributes


class Module:
    """In the place of torch."""

    def __init__(self, **names: Any) -> None:
        vars(self).update(names)


@pytest.mark.parametrize(
    ("parameters", "operands", "attributes", "positional", "named"),
    [
        (TWO_OPERANDS, (1, 2), {"alpha": 3}, (1, 2), {"alpha": 3}),
        ((INPUT, Kind.AXIS("dim"), Parameter("index")), (1, 2), {"dim": 0}, (1,),
         {"index": 2, "dim": 0}),
        ((INPUT, Kind.AXES("dim", None)), (1,), {"dim": None}, (1,), {}),
        ((INPUT, WEIGHT), (1, 1.0), {}, (1, None), {}),
        ((INPUT, WEIGHT), ([1, 2], [3, 4]), {}, ([1, 2], [3, 4]), {}),
        ((Kind.OPERANDS("tensors"), Kind.AXIS("dim", 0)), (1, 2), {"dim": 0}, ((1, 2),),
         {"dim": 0}),
    ],
)  # fmt: skip
def test_a_twin_is_told_what_was_given(parameters, operands, attributes, positional, named):
    module = Module(
        nn=Module(functional=Module()), Tensor=Module(), told=told, as_tensor=np.asarray
    )
    assert twin("told", parameters)(module, *operands, **attributes) == (positional, named)


def test_of_several_outputs_a_twin_gives_the_one_that_the_node_is():
    sort = twin("sort", (INPUT,))
    assert sort(torch, torch.tensor([3.0, 1.0]), output=1).tolist() == [1, 0]


def test_functional_stands_before_torch_itself():
    # torch.hinge_embedding_loss takes its reduction as a number, that of nn.functional as a word.
    loss = twin("hinge_embedding_loss", TWO_OPERANDS)
    assert loss(torch, torch.tensor([2.0]), torch.tensor([1.0]), reduction="sum") == 2.0


def test_an_operation_that_another_module_uses_stands_in_its_own_group_alone():
    (title,) = (title for title, group in GROUPS.items() if OPERATIONS["mul"] in group)
    assert title == "Arithmetic"
