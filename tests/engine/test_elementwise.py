"""Every elementwise operation against its torch twin: value, gradients and grad_fn."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from tests.thorough import share

from backprop_engine.basics.source import OperandError
from backprop_engine.basics.values import UNIT_ROUNDOFF, Dtype
from backprop_engine.catalogue import OPERATIONS
from backprop_engine.operation import Operation, Rounding

INF, NAN = float("inf"), float("nan")
KINDS = (
    0.0, -0.0, 0.5, -1.5, 3.0, -3.0, 1.0, -1.0, 2.0, 6.0, 21.0, 0.1, -0.7, 1e-30, -1e-30,
    700.0, -750.0, 1e30, -1e30, INF, -INF, NAN,
)  # fmt: skip
"""Every kind of number: kinks and ties among them."""

ATTRIBUTES: dict[str, tuple[dict[str, Any], ...]] = {
    "leaky_relu": ({"negative_slope": 0.01}, {"negative_slope": 0.3}),
    "elu": ({"alpha": 1.0}, {"alpha": 0.7}),
    "celu": ({"alpha": 1.0}, {"alpha": 0.7}),
    "hardtanh": ({"min_val": -1.0, "max_val": 1.0}, {"min_val": 0.1, "max_val": 3.0}),
    "threshold": ({"threshold": 0.5, "value": 7.0},),
    "softshrink": ({"lambd": 0.5}, {"lambd": 1.5}),
    "hardshrink": ({"lambd": 0.5}, {"lambd": 1.5}),
    "softplus": ({"beta": 1.0, "threshold": 20.0}, {"beta": 2.0, "threshold": 5.0}),
    "gelu": ({"approximate": "none"}, {"approximate": "tanh"}),
    "logit": ({"eps": None}, {"eps": 0.1}),
    "round": ({"decimals": None}, {"decimals": 0}, {"decimals": 1}, {"decimals": -1}),
    "special.round": ({"decimals": 0}, {"decimals": 1}),
    "nan_to_num": (
        {"nan": 0.0, "posinf": None, "neginf": None},
        {"nan": 1.0, "posinf": 5.0, "neginf": -5.0},
    ),
    "clamp": (
        {"min": -1.0, "max": 1.0},
        {"min": 0.5, "max": None},
        {"min": None, "max": 2.0},
        {"min": 1.0, "max": -1.0},
    ),
    "add.alpha": ({"alpha": 2.0}, {"alpha": -0.5}),
    "sub.alpha": ({"alpha": 2.0}, {"alpha": -0.5}),
    "rsub": ({"alpha": 1.0}, {"alpha": 2.0}),
    "div.mode": ({"rounding_mode": "trunc"}, {"rounding_mode": "floor"}),
    "addcmul": ({"value": 1.0}, {"value": -0.5}),
    "addcdiv": ({"value": 1.0}, {"value": -0.5}),
    "isclose": (
        {"rtol": 1e-05, "atol": 1e-08, "equal_nan": False},
        {"rtol": 0.1, "atol": 0.0, "equal_nan": True},
    ),
}

WITHOUT_A_BOUND = {
    "elu", "selu", "celu", "hardtanh", "relu6", "hardswish", "softshrink", "hardshrink", "gelu",
    "logit",
}  # fmt: skip
"""For these torch's own vector lanes answer otherwise at nan, inf or -0 than it does for one
number: the array cases leave those out, the cases of one number have them."""
WITHOUT_HUGE_QUOTIENTS = {"fmod", "remainder", "div.mode"}
"""The same, where a quotient overflows."""

ELEMENTWISE = [one for one in OPERATIONS.values() if one.elementwise and one.differentiable]
PREDICATES = [one for one in ELEMENTWISE if not one.derivatives]
DIFFERENTIABLE = [one for one in ELEMENTWISE if one.derivatives]


def count_of(operation: Operation) -> int:
    names = [parameter.name for parameter in operation.spelling.parameters]
    return len(operation.derivatives) or sum(name in ("input", "other") for name in names)


def cases(operations: list[Operation]) -> list[Any]:
    return [
        pytest.param(
            operation, attributes, id="-".join([operation.name, *map(str, attributes.values())])
        )
        for operation in operations
        for attributes in ATTRIBUTES.get(operation.name, ({},))
    ]


def of_every_kind(operation: Operation, kinds: tuple[float, ...]) -> list[Any]:
    """Operands that meet each other at every pair of kinds; a third one goes another way round."""
    if operation.name == "prelu":
        return [np.array(kinds), 0.25]
    first, second = (np.array(one) for one in zip(*itertools.product(kinds, kinds), strict=True))
    count = count_of(operation)
    operands = [np.array(kinds)] if count == 1 else [first, second, np.roll(first, 7)][:count]
    if operation.name == "where":
        operands[0] = operands[0] > 0
    if operation.name.startswith("bitwise"):
        operands = [operand > 0 for operand in operands]
    return operands


def assert_close(
    ours: Any, theirs: Any, operation: Operation, dtype: Dtype, operands: list[Any]
) -> None:
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    assert ours.shape == theirs.shape
    assert ours.dtype == theirs.dtype
    if ours.tobytes() == theirs.tobytes():
        return
    unit = UNIT_ROUNDOFF[dtype]
    slack = np.zeros(1)
    if operation.rounding is Rounding.CONDITION:  # steps that may cancel, of the operands' size
        with np.errstate(all="ignore"):
            sizes = sum(np.abs(np.asarray(operand, float)) for operand in operands)
        slack = 64 * unit * (1 + np.where(np.isfinite(sizes), sizes, 0.0))
    with np.errstate(all="ignore"):
        same = (ours == theirs) | (np.isnan(ours) & np.isnan(theirs))
        near = np.abs(ours.astype(float) - theirs) <= 8 * unit * np.abs(theirs) + slack
    wrong = np.atleast_1d(~(same | near))
    ours, theirs = np.atleast_1d(ours), np.atleast_1d(theirs)
    assert not wrong.any(), (
        f"{ours[wrong][:5]} for {theirs[wrong][:5]} at "
        f"{[np.broadcast_to(operand, wrong.shape)[wrong][:5].tolist() for operand in operands]}"
    )


def assert_agreement(run: Any, operation: Operation, dtype: Dtype, operands: list[Any]) -> None:
    assert_close(run.value, run.torch_value, operation, dtype, operands)
    assert len(run.gradients) == len(run.torch_gradients)
    for ours, theirs in zip(run.gradients, run.torch_gradients, strict=True):
        assert_close(ours, theirs, operation, dtype, operands)
    assert run.grad_fn == run.torch_grad_fn


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("operation", "attributes"), cases(DIFFERENTIABLE))
def test_an_array_of_every_kind_of_number_answers_as_torch(both, operation, attributes, dtype):
    kinds = KINDS
    if operation.name in WITHOUT_A_BOUND:
        kinds = tuple(x for x in KINDS if np.isfinite(x) and str(x) != "-0.0")
    if operation.name in WITHOUT_HUGE_QUOTIENTS:
        kinds = tuple(x for x in KINDS if abs(x) != 1e30)
    operands = of_every_kind(operation, kinds)
    run = both(operation, operands, attributes, dtype)
    if operation.name == "prelu":  # the gradient of its one weight is a sum, tested below
        run.gradients.pop()
        run.torch_gradients.pop()
    assert_agreement(run, operation, dtype, operands)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("operation", "attributes"), cases(DIFFERENTIABLE))
def test_one_number_of_every_kind_answers_as_torch(both, operation, attributes, dtype):
    operands = [np.atleast_1d(one) for one in of_every_kind(operation, KINDS)]
    # A share of the pairs, with every kind on either side: the arrays have them all.
    step = 1 if count_of(operation) == 1 else share(9, 3)
    for numbers in list(zip(*np.broadcast_arrays(*operands), strict=True))[::step]:
        given = [number.item() for number in numbers]
        run = both(operation, given, attributes, dtype)
        assert_agreement(run, operation, dtype, given)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("operation", "attributes"), cases(DIFFERENTIABLE))
def test_an_upstream_gradient_of_every_kind_is_answered_as_torch_answers_it(
    both, operation, attributes, dtype
):
    operands = [np.atleast_1d(one) for one in of_every_kind(operation, KINDS)]
    step = 1 if count_of(operation) == 1 else share(21, 7)
    for numbers in list(zip(*np.broadcast_arrays(*operands), strict=True))[::step]:
        given = [number.item() for number in numbers]
        for upstream in share((0.0, INF, NAN), (0.0, INF, -INF, NAN)):
            run = both(operation, given, attributes, dtype, upstream=upstream)
            assert_agreement(run, operation, dtype, [*given, upstream])


@pytest.mark.parametrize(("operation", "attributes"), cases(PREDICATES))
def test_a_question_is_answered_as_torch_answers_it_and_cuts_off(both, operation, attributes):
    for kinds in (KINDS, (-1, 0, 2)):
        operands = of_every_kind(operation, kinds)
        run = both(operation, operands, attributes, "float64")
        np.testing.assert_array_equal(run.value, run.torch_value)
        assert run.value.dtype == bool
        assert run.grad_fn == ""
        step = 1 if len(operands) == 1 else 7
        for numbers in list(zip(*operands, strict=True))[::step]:
            run = both(operation, [number.item() for number in numbers], attributes, "float32")
            assert type(run.value) is bool
            assert run.value == run.torch_value.item()


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(
    "shapes",
    [[(3,), (2, 3)], [(2, 3), ()], [(), (2, 3)], [(2, 1), (3,)], [(2, 3, 4), (3, 1)], [(0,), (1,)]],
    ids=str,
)
@pytest.mark.parametrize(
    "operation",
    [one for one in DIFFERENTIABLE if count_of(one) > 1 and one.name != "prelu"],
    ids=lambda one: one.name,
)
def test_operands_broadcast_and_contributions_are_summed_back(both, operation, shapes, dtype):
    generator = np.random.default_rng(3)
    (attributes, *_) = ATTRIBUTES.get(operation.name, ({},))
    given = [*shapes, (4, 1, 1, 1)][: count_of(operation)]
    for turned in range(len(given)):  # each operand is broadcast in each place
        operands: list[Any] = [
            generator.uniform(0.2, 0.9, shape) for shape in (*given[turned:], *given[:turned])
        ]
        if operation.name == "where":
            operands[0] = np.asarray(operands[0] > 0.5)
        if operation.name == "clamp.tensor":  # torch's bounds may not be larger than the value
            operands[0] = generator.uniform(0.2, 0.9, np.broadcast_shapes(*given))
        run = both(operation, operands, attributes, dtype)
        unit = UNIT_ROUNDOFF[dtype]
        for ours, theirs in zip(
            [run.value, *run.gradients], [run.torch_value, *run.torch_gradients], strict=True
        ):
            assert np.shape(ours) == theirs.shape
            np.testing.assert_allclose(ours, theirs, rtol=64 * unit, atol=256 * unit)


@pytest.mark.parametrize("shape", [(4, 3), (2, 3, 4), (2, 3, 2, 2)])
@pytest.mark.parametrize("count", [1, 3])
def test_the_weight_of_prelu_is_one_or_one_for_each_channel(both, shape, count):
    values = np.random.default_rng(1).standard_normal(shape)
    weight = np.linspace(0.1, 0.4, count)
    run = both("prelu", [values, weight], {}, "float64")
    np.testing.assert_array_equal(run.value, run.torch_value)
    for ours, theirs in zip(run.gradients, run.torch_gradients, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-14)
    assert run.grad_fn == run.torch_grad_fn


@pytest.mark.parametrize(
    ("name", "number"),
    [
        *itertools.product(("add", "sub", "mul", "div", "pow", "xlogy", "xlog1py"), (0, 1)),
        *itertools.product(("add.alpha", "sub.alpha", "rsub", "div.mode"), (1,)),
        *itertools.product(("fmod", "remainder", "copysign", "clamp_min", "clamp_max"), (1,)),
        *itertools.product(("where",), (1, 2)),
        ("lerp", 2),
    ],
)
def test_a_python_number_as_an_operand_gives_what_torch_gives(both, name, number):
    operation = OPERATIONS[name]
    operands: list[Any] = [0.75, 2.0, 1.5][: count_of(operation)]
    if name == "where":
        operands[0] = True
    operands[number] = 0.5
    (attributes, *_) = ATTRIBUTES.get(name, ({},))
    run = both(name, operands, attributes, "float64", numbers=[number])
    assert_agreement(run, operation, "float64", operands)


def test_plus_times_and_relu_match_torch_bit_for_bit(both):
    generator = np.random.default_rng(7)
    for name in ("add", "mul", "relu", "sub", "neg", "where", "maximum", "square", "clamp_min"):
        operands: list[Any] = [generator.standard_normal(50) for _ in OPERATIONS[name].derivatives]
        if name == "where":
            operands[0] = operands[0] > 0
        run = both(name, operands, {}, "float64")
        np.testing.assert_array_equal(run.value, run.torch_value)
        np.testing.assert_array_equal(run.gradients, run.torch_gradients)


@pytest.mark.parametrize("exponent", [0.0, 1.0, 2.0, 3.0, -1.0, 0.5, -2.5])
def test_a_power_with_a_number_as_exponent_equals_torch(both, exponent):
    for x in (0.0, 0.7, -1.3, 2.0, 1e200):
        run = both("pow", [x, exponent], {}, "float64", numbers=[1])
        assert_agreement(run, OPERATIONS["pow"], "float64", [x, exponent])
        assert run.grad_fn == "PowBackward0"


@pytest.mark.parametrize(
    ("function", "operand", "expected"),
    [
        ("exp", np.array([True, False]), [np.e, 1.0]),
        ("exp", np.array([0, 2]), [1.0, np.exp(2.0)]),
        ("sqrt", 4, 2.0),
        ("erf", True, 0.8427007929497149),
        ("float", np.array([True, False]), [1.0, 0.0]),
        ("float", np.array([3, -1]), [3.0, -1.0]),
        ("float", True, 1.0),
        ("reciprocal", 4, 0.25),
    ],
)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_whole_numbers_and_masks_become_numbers_of_the_scenario(
    both, function, operand, expected, dtype
):
    run = both(function, [operand], {}, dtype)
    assert np.asarray(run.value).dtype == dtype
    np.testing.assert_allclose(run.value, expected, rtol=4 * UNIT_ROUNDOFF[dtype])


@pytest.mark.parametrize(
    ("name", "operands", "attributes", "message"),
    [
        ("where", [1.0, 2.0, 3.0], {}, "a condition that is true or false, not float64"),
        ("clamp", [1.0], {"min": None, "max": None}, "`clamp` needs `min`, `max` or both"),
        ("bitwise_and", [True, 1.0], {}, "`&` takes truth values and whole numbers"),
        ("bitwise_not", [1.0], {}, "`~` takes truth values and whole numbers"),
        ("prelu", [np.ones((2, 3)), np.ones(2)], {}, "one for each of the 3 channels"),
        ("maximum", [np.ones(2), np.ones(3)], {}, "cannot broadcast shapes (2,) and (3,)"),
        ("gt", [np.ones(2), np.ones(3)], {}, "`>` cannot broadcast shapes (2,) and (3,)"),
    ],
)
def test_operands_that_do_not_fit_are_refused_in_words(both, name, operands, attributes, message):
    with pytest.raises(OperandError) as caught:
        both(name, operands, attributes, "float64")
    assert message in str(caught.value)


def test_a_whole_number_is_inverted_bit_by_bit_and_a_mask_is_turned(both):
    assert both("bitwise_not", [5], {}, "float64").value == ~5
    assert both("bitwise_not", [True], {}, "float64").value is False
    both_bits = both("bitwise_and", [np.array([6, 3]), 5], {}, "float64")
    assert both_bits.value.tolist() == both_bits.torch_value.tolist() == [4, 1]


def test_torch_is_the_version_these_kernels_were_read_from():
    # hardsigmoid and celu round a constant to 32 bits; a later torch may not.
    x = torch.tensor(1.0, dtype=torch.float64, requires_grad=True)
    torch.nn.functional.hardsigmoid(x).backward()
    assert x.grad is not None
    assert x.grad.item() == float(np.float32(1 / 6))
