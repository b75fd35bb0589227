"""Convolution and pooling against their torch twins: strides, pads, gaps, groups, edges."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from backprop_engine.basics.source import ScenarioError, Source
from backprop_engine.basics.values import UNIT_ROUNDOFF, Dtype
from backprop_engine.catalogue import GROUPS, OPERATIONS
from backprop_engine.operation import Kind
from backprop_engine.run.record import record
from backprop_engine.run.tape import graph_of
from backprop_engine.scenarios.loader import parse_shorthand


def drawn(*shape: int, seed: int = 5) -> Any:
    return np.random.default_rng(seed).standard_normal(shape).tolist()


def case(name: str, *operands: Any, **changes: Any) -> Any:
    return pytest.param(name, list(operands), changes)


def kernel(changes: dict[str, Any], *size: int) -> Any:
    """A kernel from 4 channels to 6, for as many groups as are asked for."""
    return drawn(6, 4 // changes.get("groups", 1), *size)


def settings(name: str, changes: dict[str, Any]) -> dict[str, Any]:
    """The attributes of a call: torch's defaults, but for `changes`."""
    defaults = {
        parameter.name: parameter.default
        for parameter in OPERATIONS[name].spelling.parameters
        if parameter.kind is not Kind.OPERAND and not parameter.refusal
    }
    return {**defaults, **changes}


ROWS = (drawn(2, 4, 7), drawn(4, 7))
IMAGES = (drawn(2, 4, 5, 6), drawn(4, 5, 6))

CONVOLUTIONS = [
    *(
        case("conv1d", row, kernel(changes, 3), *bias, **changes)
        for row in ROWS
        for bias in ((), (drawn(6),))
        for changes in (
            {},
            {"stride": 2, "padding": 1},
            {"dilation": 2, "padding": (2,)},
            {"groups": 2},
            {"stride": 3, "padding": 2, "dilation": 2, "groups": 2},
        )
    ),
    *(
        case("conv2d", image, kernel(changes, 3, 2), *bias, **changes)
        for image in IMAGES
        for bias in ((), (drawn(6),))
        for changes in (
            {},
            {"stride": (2, 1), "padding": (1, 0)},
            {"dilation": (1, 3), "padding": 1},
            {"groups": 2, "stride": 2},
        )
    ),
    *(
        case(f"{name}_padding", operand, kernel, padding=padding, dilation=dilation)
        for name, operand, kernel in (
            ("conv1d", ROWS[0], drawn(6, 4, 3)),
            ("conv1d", ROWS[1], drawn(6, 4, 2)),
            ("conv2d", IMAGES[0], drawn(6, 4, 3, 2)),
        )
        for padding in ("same", "valid")
        for dilation in (1, 2)
    ),
    *(
        case("conv_transpose2d", image, drawn(4, 3, 2, 3), *bias, **changes)
        for image in IMAGES
        for bias, changes in (
            ((), {}),
            ((drawn(3),), {"stride": 2, "padding": 1, "output_padding": (1, 0)}),
            ((drawn(3),), {"stride": (1, 3), "dilation": 2}),
            ((), {"groups": 2}),
            ((), {"stride": (3, 2), "output_padding": (2, 3), "dilation": 4}),
        )
    ),
    case("conv2d", np.zeros((0, 4, 5, 6)), drawn(6, 4, 3, 2)),
    case("conv_transpose2d", np.zeros((0, 4, 5, 6)), drawn(4, 3, 2, 3)),
]

POOLINGS = [
    *(
        case(name, operand, **changes)
        for name, operands in (("max_pool1d", ROWS), ("max_pool2d", IMAGES))
        for operand in operands
        for changes in (
            {"kernel_size": 2},
            {"kernel_size": 3, "stride": 2, "padding": 1},
            {"kernel_size": 2, "stride": 1, "dilation": 2},
            {"kernel_size": 3, "stride": 2, "ceil_mode": True},
            {"kernel_size": 2, "stride": 3, "padding": 1, "ceil_mode": True},
        )
    ),
    *(
        case(f"{name}.indices", operand, output=0, return_indices=True, **changes)
        for name, operands in (("max_pool1d", ROWS), ("max_pool2d", IMAGES))
        for operand in operands
        for changes in ({"kernel_size": 2}, {"kernel_size": 3, "stride": 2, "padding": 1})
    ),
    *(
        case(name, operand, **changes)
        for name, operands in (("avg_pool1d", ROWS), ("avg_pool2d", IMAGES))
        for operand in operands
        for changes in (
            {"kernel_size": 2},
            {"kernel_size": 3, "stride": 2, "padding": 1},
            {"kernel_size": 3, "stride": 2, "padding": 1, "count_include_pad": False},
            {"kernel_size": 3, "stride": 2, "ceil_mode": True},
            {"kernel_size": 2, "stride": 3, "padding": 1, "ceil_mode": True},
            {
                "kernel_size": 3,
                "stride": 3,
                "padding": 1,
                "ceil_mode": True,
                "count_include_pad": False,
            },
        )
    ),
    *(case(name, np.zeros((0, 4, 5, 6)), kernel_size=2) for name in ("avg_pool2d", "max_pool2d")),
    case("max_pool2d", IMAGES[0], kernel_size=(2, 3), stride=(1, 2)),
    case("avg_pool2d", IMAGES[0], kernel_size=(2, 3), divisor_override=5),
    *(
        case("adaptive_avg_pool2d", image, output_size=size)
        for image in IMAGES
        for size in (1, 2, (3, 4), (5, 6))
    ),
]


def assert_close(ours: Any, theirs: Any, dtype: Dtype) -> None:
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    assert ours.shape == theirs.shape
    assert ours.dtype == theirs.dtype
    size = np.max(np.abs(theirs), initial=1.0)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=32 * UNIT_ROUNDOFF[dtype] * size)


@pytest.mark.parametrize(
    ("name", "image", "changes"),
    [
        ("max_pool2d", IMAGES[0], {"kernel_size": 3, "stride": 2, "padding": 1}),
        ("max_pool2d", np.full((1, 4, 4), -np.inf), {"kernel_size": 2, "padding": 1}),
        ("max_pool1d", np.array([[1.0, np.nan, 3.0, 3.0, 0.0]]), {"kernel_size": 3, "stride": 1}),
    ],
)
def test_where_the_largest_elements_are_is_told_as_torch_tells_it(both, name, image, changes):
    given = settings(f"{name}.indices", {"output": 1, "return_indices": True, **changes})
    run = both(f"{name}.indices", [image], given, "float64")
    np.testing.assert_array_equal(run.value, run.torch_value)


@pytest.mark.filterwarnings("ignore:Using padding='same'")
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("name", "operands", "changes"), [*CONVOLUTIONS, *POOLINGS])
def test_value_gradients_and_grad_fn_equal_those_of_torch(both, name, operands, changes, dtype):
    run = both(name, operands, settings(name, changes), dtype)
    assert_close(run.value, run.torch_value, dtype)
    assert len(run.gradients) == len(run.torch_gradients) > 0
    for ours, theirs in zip(run.gradients, run.torch_gradients, strict=True):
        assert_close(ours, theirs, dtype)
    assert run.grad_fn == run.torch_grad_fn


def test_every_convolution_and_pooling_is_tested_here():
    tested = {one.values[0] for one in (*CONVOLUTIONS, *POOLINGS)}
    names = {one.name for title in ("Convolution", "Pooling") for one in GROUPS[title]}
    assert names == tested


@pytest.mark.parametrize("row", [[1.0, 1.0, 0.0, 2.0], [np.nan, 1.0, 2.0, 3.0]])
def test_a_tie_goes_to_the_first_and_nan_counts_as_the_largest(both, row):
    run = both("max_pool1d", [[row]], settings("max_pool1d", {"kernel_size": 2}), "float64")
    np.testing.assert_array_equal(run.value, run.torch_value)
    np.testing.assert_array_equal(run.gradients[0], run.torch_gradients[0])


def value_of(text: str) -> Any:
    trace = record(parse_shorthand(Source("<-e>", text)))
    return graph_of(trace).value[trace.assigned["y"]]


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("conv1d(x, w, padding='same')", "conv1d(x, w, padding=1)"),
        ("F.conv1d(x, w, None, 1, 'valid')", "torch.conv1d(x, w, None, 1, 0)"),
        ("F.max_pool1d(x, 2)", "max_pool1d(x, 2, stride=2)"),
        ("F.avg_pool1d(x, kernel_size=2)", "avg_pool1d(x, (2,), (2,))"),
    ],
)
def test_the_forms_of_a_call_agree(left, right):
    text = f"x=[[1, 5, 4, 2]], w=[[[1, 2, 4]]], d={left} - {right}, y=(d*d).sum()"
    assert value_of(text) == 0


def test_a_padding_of_same_keeps_the_size():
    rows, kernel = np.ones((1, 3)), np.ones((1, 1, 2))
    forward = OPERATIONS["conv1d_padding"].forward
    same = settings("conv1d_padding", {"padding": "same"})
    assert forward(rows, kernel, **same).shape == (1, 3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("conv2d(x, w)", "takes an input of 3 or 4 axes and a kernel of 4, not shapes (1, 4)"),
        ("conv1d(x, [[1, 2]])", "takes an input of 2 or 3 axes and a kernel of 3"),
        ("conv1d(x, w, [1, 2])", "takes a bias of shape (1,), not (2,)"),
        (
            "conv1d([[1, 2], [3, 4]], w)",
            "with 2 channels, but the kernel of shape (1, 1, 3) takes 1",
        ),
        ("conv1d(x[:0], w[:, :0])", "takes a kernel with channels, not shape (1, 0, 3)"),
        ("conv1d(x, [[[1, 2, 3, 4, 5]]])", "the window is larger than the padded input"),
        ("conv1d(x, w, stride=0)", "`stride` of `conv1d` cannot be 0"),
        ("conv1d(x, w, padding='all')", "`padding` of `conv1d` cannot be this"),
        ("conv1d(x, w, padding='same', stride=2)", "keeps no size with a stride of (2,)"),
        ("conv1d(x, w, groups=2)", "cannot part a kernel of shape (1, 1, 3) into 2 equal groups"),
        ("max_pool1d(x, 2, padding=2)", "`padding` of `max_pool1d` must be at most half"),
        ("max_pool1d(x, 2, return_indices=1)", "`return_indices` of `max_pool1d` is not"),
        ("max_pool2d(x, 2)", "takes an input of 3 or 4 axes, not shape (1, 4)"),
        ("max_pool1d(x, (2, 2))", "`kernel_size` of `max_pool1d` cannot be (2, 2)"),
        ("avg_pool2d([[[1, 2]]], 1, divisor_override=0)", "`divisor_override` of `avg_pool2d`"),
        ("adaptive_avg_pool2d(x, 1)", "takes an input of 3 or 4 axes, not shape (1, 4)"),
        ("conv_transpose2d([[[1]]], [[[[1]]]], output_padding=1)", "must be smaller than stride"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(call, message):
    with pytest.raises(ScenarioError) as caught:
        record(parse_shorthand(Source("<-e>", f"x=[[1, 5, 4, 2]], w=[[[1, 2, 4]]], y={call}")))
    assert message in caught.value.render()


@pytest.mark.parametrize(
    ("name", "shape"),
    [("max_pool1d", (1, 1)), ("max_pool2d", (1, 1, 1)), ("max_pool2d", (2, 1, 1))],
)
def test_a_window_of_padding_alone_sends_nothing(name, shape):
    given = {"kernel_size": 2, "padding": 1, "dilation": 3, "ceil_mode": True}
    operation = OPERATIONS[name]
    attributes, image = settings(name, given), np.full(shape, 3.0)
    pooled = operation.forward(image, **attributes)
    assert (pooled == -np.inf).all()
    sent = operation.send(0, np.ones_like(pooled), pooled, [image], attributes)
    np.testing.assert_array_equal(sent, np.zeros(shape))
