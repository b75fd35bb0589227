"""Layers, softmax, attention and normalisation against their torch twins."""

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


MATRIX = drawn(2, 3)
CUBE = drawn(2, 3, 4)
IMAGES = drawn(2, 4, 5, 6)


def case(name: str, *operands: Any, **changes: Any) -> Any:
    return pytest.param(name, list(operands), changes)


def settings(name: str, changes: dict[str, Any]) -> dict[str, Any]:
    """The attributes of a call: torch's defaults, but for `changes`."""
    defaults = {
        parameter.name: parameter.default
        for parameter in OPERATIONS[name].spelling.parameters
        if parameter.kind is not Kind.OPERAND and parameter.is_taken
    }
    return {**defaults, **changes}


SOFTMAXES = [
    case(name, operand, dim=dim)
    for name in ("softmax", "log_softmax", "softmin")
    for operand, dim in (
        (1.5, None), (1.5, 0), (drawn(3), None), (MATRIX, None), (CUBE, None), (MATRIX, 0),
        (CUBE, 1), (CUBE, -1), (IMAGES, None),
    )
]  # fmt: skip

ATTENTION_SHAPES = (
    [(3, 2), (4, 2), (4, 5)],
    [(2, 3, 2), (2, 4, 2), (2, 4, 2)],
    [(1, 2, 3, 2), (1, 2, 4, 2), (1, 2, 4, 2)],
    [(1, 2, 3, 2), (1, 2, 4, 2), (1, 2, 4, 5)],
    [(2, 1, 3, 2), (2, 2, 4, 2), (2, 2, 4, 2)],
    [(3, 2), (2, 4, 2), (2, 4, 2)],
)
ATTENTION = [
    case("scaled_dot_product_attention", *map(drawn_as, shapes), *mask, **changes)
    for drawn_as in (lambda shape: drawn(*shape, seed=sum(shape)),)
    for shapes in ATTENTION_SHAPES
    for mask, changes in (
        ([], {}),
        ([], {"is_causal": True}),
        ([], {"scale": 0.3}),
        ([drawn(3, 4)], {}),
        ([np.array([[True, False, True, True], [False] * 4, [True] * 4])], {}),
    )
]

NORMS = [
    *(
        case(name, operand, *affine[: 2 if name == "layer_norm" else 1], normalized_shape=shape)
        for name in ("layer_norm", "rms_norm")
        for operand, affine, shape in (
            (drawn(3), (), 3),
            (MATRIX, (), (3,)),
            (MATRIX, (drawn(3), drawn(3)), (3,)),
            (CUBE, (drawn(3, 4), drawn(3, 4)), (3, 4)),
            (CUBE, (drawn(4),), (4,)),
        )
    ),
    case("rms_norm", MATRIX, normalized_shape=(3,), eps=0.1),
    case("layer_norm", MATRIX, normalized_shape=(3,), eps=0.1),
    *(
        case("batch_norm", operand, *affine, training=True)
        for operand in (drawn(5, 4), drawn(3, 4, 2), IMAGES)
        for affine in ((), (drawn(4),), (drawn(4), drawn(4)))
    ),
    *(
        case(name, operand, *affine, **changes)
        for operand in (drawn(3, 4, 2), IMAGES)
        for affine in ((), (drawn(4),), (drawn(4), drawn(4)))
        for name, changes in (
            ("group_norm", {"num_groups": 2}),
            ("group_norm", {"num_groups": 4, "eps": 0.1}),
            ("instance_norm", {}),
        )
    ),
    case("group_norm", drawn(3, 4), num_groups=2),
]

LENGTHS = [
    *(
        case("normalize", operand, p=p, dim=dim)
        for operand, dim in ((drawn(3), 0), (MATRIX, 1), (CUBE, (0, 2)), (CUBE, -1))
        for p in (2.0, 1.0, 3.0, 0.5, 0.0, -1.0, float("inf"))
    ),
    case("normalize", 1.5, dim=0),
    *(
        case("cosine_similarity", *operands, dim=dim)
        for operands, dim in (
            ((drawn(3), drawn(3, seed=6)), 0),
            ((MATRIX, drawn(2, 3, seed=6)), 1),
            ((MATRIX, drawn(3)), -1),
            ((CUBE, drawn(1, 3, 1)), 1),
        )
    ),
    *(
        case("pairwise_distance", MATRIX, other, p=p, keepdim=keepdim)
        for other in (drawn(2, 3, seed=6), drawn(3, seed=6))
        for p in (2.0, 1.0, 3.0, -1.0, float("inf"))
        for keepdim in (False, True)
    ),
]

LAYERS = [
    *(
        case("linear", operand, *layer)
        for operand in (drawn(4), drawn(3, 4), CUBE, drawn(2, 2, 3, 4))
        for layer in ((drawn(5, 4),), (drawn(5, 4), drawn(5)))
    ),
    case("linear", drawn(4), drawn(4)),
    case("linear", drawn(4), drawn(4), 0.5),
    case("linear", drawn(3, 4), drawn(4)),
    case("linear", CUBE, drawn(4)),
    case("bilinear", MATRIX, drawn(2, 4), drawn(5, 3, 4)),
    case("bilinear", drawn(2, 2, 3), drawn(2, 2, 4), drawn(5, 3, 4), drawn(5)),
    case("dropout", MATRIX),
    case("dropout", 1.5, seed=3),
    case("dropout", CUBE, p=0.25, seed=7),
    case("dropout", MATRIX, p=1.0),
    case("im2col", IMAGES, kernel_size=2),
    case("im2col", np.zeros((0, 1, 5, 5)), kernel_size=2),
    case("im2col", drawn(2, 5, 6), kernel_size=(2, 3), stride=2, padding=(1, 0), dilation=(1, 2)),
]


def assert_close(ours: Any, theirs: Any, dtype: Dtype) -> None:
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    assert ours.shape == theirs.shape
    assert ours.dtype == theirs.dtype
    size = np.max(np.abs(theirs), initial=1.0)
    unit = UNIT_ROUNDOFF[dtype]
    np.testing.assert_allclose(ours, theirs, rtol=64 * unit, atol=64 * unit * size)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(
    ("name", "operands", "changes"), [*SOFTMAXES, *ATTENTION, *NORMS, *LENGTHS, *LAYERS]
)
def test_value_gradients_and_grad_fn_equal_those_of_torch(both, name, operands, changes, dtype):
    run = both(name, operands, settings(name, changes), dtype)
    assert_close(run.value, run.torch_value, dtype)
    assert len(run.gradients) == len(run.torch_gradients) > 0
    for ours, theirs in zip(run.gradients, run.torch_gradients, strict=True):
        assert_close(ours, theirs, dtype)
    assert run.grad_fn == run.torch_grad_fn


def test_every_layer_and_normalisation_is_tested_here():
    titles = ("Layers of networks", "Softmax and attention", "Normalisation and lengths")
    cases = [*SOFTMAXES, *ATTENTION, *NORMS, *LENGTHS, *LAYERS]
    tested = {one.values[0] for one in cases}
    assert {one.name for title in titles for one in GROUPS[title]} == tested


@pytest.mark.parametrize(
    ("name", "operands", "changes"),
    [
        case("softmax", [np.inf, 1.0]),
        case("softmax", [-np.inf, 1.0]),
        case("softmax", [-np.inf, -np.inf]),
        case("softmax", [np.nan, 1.0]),
        case("softmax", [800.0, 0.0]),
        case("softmax", []),
        case("log_softmax", [np.inf, 1.0]),
        case("log_softmax", [-np.inf, 1.0]),
        case("log_softmax", [800.0, 0.0]),
        case("normalize", [0.0, 0.0, 0.0], dim=0),
        case("normalize", [1e-13, 0.0], dim=0),
        case("normalize", [2.0, 0.0, -2.0], dim=0, p=1.0),
        case("normalize", [2.0, 0.0, -2.0], dim=0, p=float("inf")),
        case("cosine_similarity", [0.0, 0.0], [1.0, 2.0], dim=0),
        case("cosine_similarity", [1e-9, 0.0], [1.0, 2.0], dim=0),
        case("pairwise_distance", [1.0, 2.0], [1.0, 2.0], eps=0.0),
        *(
            case(name, [vector, [3.0, 0.0, -4.0]], *others, p=p, **changes)
            for vector in ([0.0, 0.0, 0.0], [np.nan, 1.0, 2.0], [np.inf, 1.0, 0.0])
            for p in (-np.inf, -1.0, 0.0, 0.5, 1.5, 3.0, np.inf, np.nan)
            for name, others, changes in (
                ("normalize", (), {"dim": 1}),
                ("pairwise_distance", ([[0.0, 1.0, 2.0], [0.0, 0.0, 0.0]],), {}),
                ("vector_norm", (), {"dim": 1}),
            )
            if p or name == "normalize"
        ),
        case("layer_norm", [2.0, 2.0, 2.0], normalized_shape=3),
        case("layer_norm", [2.0, np.nan, 2.0], normalized_shape=3),
        case("rms_norm", [0.0, 0.0], normalized_shape=2, eps=1e-5),
        case("dropout", [np.inf, np.nan, 1.0, np.inf]),
    ],
)
def test_zeros_infinities_and_nan_are_those_of_torch(both, name, operands, changes):
    run = both(name, operands, settings(name, changes), "float64")
    np.testing.assert_allclose(run.value, run.torch_value, rtol=1e-14, atol=1e-300)
    for ours, theirs in zip(run.gradients, run.torch_gradients, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-13, atol=1e-16)


def value_of(text: str) -> Any:
    trace = record(parse_shorthand(Source("<-e>", text)))
    return graph_of(trace).value[trace.assigned["y"]]


def test_the_log_of_a_softmax_is_lost_where_log_softmax_is_exact():
    assert value_of("z=[800, 0], p=log(softmax(z, 0)), y=p[1]") == -np.inf
    assert value_of("z=[800, 0], p=log_softmax(z, 0), y=p[1]") == -800


@pytest.mark.parametrize(
    "call",
    [
        "softmax(z, 0)",
        "F.softmax(z, dim=0)",
        "torch.softmax(z, -1)",
        "z.softmax(0)",
        "F.softmax(z)",
    ],
)
def test_a_function_is_called_as_torch_calls_it(call):
    assert value_of(f"z=[0, 0], p={call}, y=p[0]") == 0.5


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("layer_norm(x, [2])", "F.layer_norm(x, (2,), None, None, 1e-05)"),
        ("layer_norm(x, [2], None, [1, 2])", "layer_norm(x, [2]) + [1, 2]"),
        ("layer_norm(x, [2], weight=[2, 3])", "layer_norm(x, [2]) * [2, 3]"),
        ("batch_norm(x, None, None, None, [1, 2], True)", "batch_norm(x, training=True) + [1, 2]"),
        ("group_norm(x, 1, None, [1, 2])", "group_norm(x, 1) + [1, 2]"),
        ("linear(x, [[1, 2]], None)", "linear(x, [[1, 2]], [0])"),
        ("dropout(x, 0.5, True, False, 4)", "dropout(x, seed=4)"),
        ("dropout(x, training=False)", "x"),
        ("x.softmax(dim=-1)", "softmin(-x, 1)"),
        (
            "scaled_dot_product_attention(x, x, x, None, 0.0, True)",
            "F.scaled_dot_product_attention(x, x, x, dropout_p=0, is_causal=True)",
        ),
    ],
)
def test_what_is_left_out_changes_nothing(left, right):
    text = f"x=[[1, 5], [4, 2]], p={left}, q={right}, d=p - q, y=(d*d).sum()"
    assert value_of(text) == pytest.approx(0, abs=1e-28)


def test_dropout_draws_the_same_for_a_seed_and_differently_for_another():
    ones = np.ones(64)
    forward = OPERATIONS["dropout"].forward
    first, again, other = (forward(ones, p=0.5, training=True, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert set(first) == {0.0, 2.0}


@pytest.mark.parametrize("changes", [{"training": False}, {"p": 0.0}])
def test_dropout_that_drops_nothing_hands_its_operand_through(both, changes):
    run = both("dropout", [MATRIX], settings("dropout", changes), "float64")
    np.testing.assert_array_equal(run.value, MATRIX)
    np.testing.assert_array_equal(run.gradients, run.torch_gradients)
    assert run.grad_fn == run.torch_grad_fn == ""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x=[1, 2], y=softmax(x, 1)", "`softmax` cannot take shape (2,): Dimension out of range"),
        (
            "q=[[1, 2]], k=[[1, 2, 3]], y=scaled_dot_product_attention(q, k, k)",
            "cannot multiply query (1, 2) and key (1, 3)",
        ),
        (
            "q=[[1, 2]], v=[[1], [2]], y=scaled_dot_product_attention(q, q, v)",
            "as many keys as values, not 1 and 2",
        ),
        (
            "q=[[1, 2]], m=[[1, 2]], y=scaled_dot_product_attention(q, q, q, m)",
            "`attn_mask` of `scaled_dot_product_attention` has shape (1, 2)",
        ),
        (
            "q=[[1, 2]], y=scaled_dot_product_attention(q, q, q, [[0]], is_causal=True)",
            "`attn_mask` or `is_causal=True`, not both",
        ),
        ("q=[1, 2], y=scaled_dot_product_attention(q, q, q)", "takes matrices of query"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(text, message):
    with pytest.raises(ScenarioError) as caught:
        record(parse_shorthand(Source("<-e>", text)))
    assert message in caught.value.render()
