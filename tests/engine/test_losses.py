"""Losses against their torch twins: every reduction and option, values, gradients, grad_fn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from backprop_engine.basics.source import OperandError, ScenarioError, Source
from backprop_engine.basics.values import UNIT_ROUNDOFF, Dtype
from backprop_engine.catalogue import GROUPS, OPERATIONS
from backprop_engine.operation import Kind
from backprop_engine.run.record import record
from backprop_engine.run.tape import graph_of
from backprop_engine.scenarios.loader import parse_shorthand

random = np.random.default_rng(3)
VECTOR = [0.3, -1.2, 2.0]
OTHER = [0.5, -0.2, -1.0]
MATRIX = [[0.5, -1.0, 2.0], [1.5, 0.25, -0.75]]
SAME = [[0.2, 0.4, -2.0], [1.5, 1.25, 3.0]]
PROBABLE = [[0.1, 0.7, 0.2], [0.3, 0.3, 0.4]]
CUBE = random.standard_normal((2, 3, 4)).tolist()
WEIGHTS = [0.5, 2.0, 1.5]

NAMES_BY_DIFFERENCE = ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "kl_div")
REDUCTIONS = ("none", "mean", "sum")

Case = tuple[str, list[Any], dict[str, Any], tuple[int, ...]]


def settings(name: str, **changes: Any) -> dict[str, Any]:
    """The attributes of a call: torch's defaults, but for `changes`."""
    defaults = {
        parameter.name: parameter.default
        for parameter in OPERATIONS[name].spelling.parameters
        if parameter.kind is not Kind.OPERAND and parameter.is_taken
    }
    return {**defaults, **changes}


def by_difference() -> list[Case]:
    options: dict[str, list[dict[str, Any]]] = {
        "smooth_l1_loss": [{"beta": 0.25}, {"beta": 0.0}],
        "huber_loss": [{"delta": 0.5}],
        "kl_div": [{"log_target": True}],
    }
    pairs = ([VECTOR, [0.2, 0.1, 0.7]], [0.5, 0.75], [MATRIX, PROBABLE], [MATRIX, [0.2, 0.3, 0.5]])
    return [
        (name, list(pair), settings(name, reduction=reduction, **option), ())
        for name in NAMES_BY_DIFFERENCE
        for reduction in (*REDUCTIONS, *(("batchmean",) if name == "kl_div" else ()))
        for option in ({}, *options.get(name, []))
        for pair in pairs
    ]


def of_two_classes() -> list[Case]:
    cases: list[Case] = []
    for reduction in REDUCTIONS:
        for weight in ([], [WEIGHTS], [[[0.5], [2.0]]]):
            constants = tuple(range(2, 2 + len(weight)))
            for name, scores in (
                ("binary_cross_entropy", PROBABLE),
                ("binary_cross_entropy_with_logits", MATRIX),
            ):
                operands = [scores, [[0.0, 1.0, 0.25], [1.0, 1.0, 0.0]], *weight]
                cases.append((name, operands, settings(name, reduction=reduction), constants))
        name = "binary_cross_entropy_with_logits"
        for neutral in (1.0, [[0.5], [2.0]]):
            operands = [MATRIX, PROBABLE, neutral, WEIGHTS]
            cases.append((name, operands, settings(name, reduction=reduction), (2, 3)))
    return cases


def classes(*shape: int) -> Any:
    return np.random.default_rng(7).integers(0, 3, shape)


def of_many_classes() -> list[Case]:
    cases: list[Case] = []
    image = random.standard_normal((2, 3, 2, 2)).tolist()
    targets: list[tuple[Any, Any]] = [
        (VECTOR, 2),
        (MATRIX, np.array([2, 0])),
        (MATRIX, np.array([2, -100])),
        (CUBE, classes(2, 4)),
        (image, classes(2, 2, 2)),
    ]
    for reduction in REDUCTIONS:
        for weight in ([], [WEIGHTS]):
            constants = (2,) if weight else ()
            for scores, target in targets:
                cases.append(
                    (
                        "nll_loss",
                        [scores, target, *weight],
                        settings("nll_loss", reduction=reduction),
                        constants,
                    )
                )
                for smoothing in (0.0, 0.1):
                    changes = {"reduction": reduction, "label_smoothing": smoothing}
                    chosen = settings("cross_entropy", **changes)
                    operands = [scores, target, *weight]
                    cases.append(("cross_entropy", operands, chosen, constants))
            for scores in (VECTOR, MATRIX, CUBE):
                for smoothing in (0.0, 0.1):
                    changes = {"reduction": reduction, "label_smoothing": smoothing}
                    chosen = settings("cross_entropy", **changes)
                    operands = [scores, np.abs(scores).tolist(), *weight]
                    cases.append(("cross_entropy", operands, chosen, constants))
    chosen = settings("cross_entropy", ignore_index=1)
    cases.append(("cross_entropy", [MATRIX, np.array([1, 0])], chosen, ()))
    return cases


def of_margins() -> list[Case]:
    signs, far = [[1.0, -1.0, 1.0], [-1.0, 1.0, -1.0]], [[2.0, 0.5, 3.0], [1.0, 1.5, 0.25]]
    variances: list[Any] = [far, [[0.5], [2.0]], [0.5, 2.0], [[1e-9, 1.0, 2.0], [1.0, 1.0, 0.5]]]
    calls: list[tuple[str, list[Any], dict[str, Any], tuple[int, ...]]] = [
        ("soft_margin_loss", [MATRIX, signs], {}, (1,)),
        ("hinge_embedding_loss", [MATRIX, signs], {}, (1,)),
        ("hinge_embedding_loss", [MATRIX, signs], {"margin": 0.25}, (1,)),
        ("margin_ranking_loss", [MATRIX, SAME, signs], {}, ()),
        ("margin_ranking_loss", [MATRIX, SAME, signs], {"margin": 0.5}, ()),
        ("poisson_nll_loss", [MATRIX, far], {}, ()),
        ("poisson_nll_loss", [VECTOR, far], {}, ()),
        ("poisson_nll_loss", [far, SAME], {"log_input": False}, ()),
        ("poisson_nll_loss", [MATRIX, far], {"full": True}, ()),
        *(("gaussian_nll_loss", [MATRIX, SAME, variance], {}, ()) for variance in variances),
        ("gaussian_nll_loss", [MATRIX, SAME, far], {"full": True, "eps": 0.75}, ()),
    ]
    return [
        (name, operands, settings(name, reduction=reduction, **changes), constants)
        for reduction in REDUCTIONS
        for name, operands, changes, constants in calls
    ]


CASES = [*by_difference(), *of_two_classes(), *of_many_classes(), *of_margins()]


def assert_close(ours: Any, theirs: Any, dtype: Dtype) -> None:
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    assert ours.shape == theirs.shape
    assert ours.dtype == theirs.dtype
    size = np.max(np.abs(theirs[np.isfinite(theirs)]), initial=1.0)
    unit = UNIT_ROUNDOFF[dtype]
    np.testing.assert_allclose(ours, theirs, rtol=64 * unit, atol=32 * unit * size)


@pytest.mark.filterwarnings("ignore:Using a target size")
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", sorted({case[0] for case in CASES}))
def test_value_gradients_and_grad_fn_equal_those_of_torch(both, name, dtype):
    for case_name, operands, attributes, constants in CASES:
        if case_name != name:
            continue
        given = [
            torch.tensor(one, dtype=getattr(torch, dtype)) if at in constants else one
            for at, one in enumerate(operands)
        ]
        run = both(name, given, attributes, dtype, numbers=constants)
        assert_close(run.value, run.torch_value, dtype)
        assert len(run.gradients) == len(run.torch_gradients) > 0
        for ours, theirs in zip(run.gradients, run.torch_gradients, strict=True):
            assert_close(ours, theirs, dtype)
        assert run.grad_fn == run.torch_grad_fn, (operands, attributes)


@pytest.mark.parametrize(
    ("name", "operands", "changes"),
    [
        ("binary_cross_entropy", [[0.0, 1.0, 0.0, 1.0], [0.0, 1.0, 1.0, 0.0]], {}),
        (
            "binary_cross_entropy_with_logits",
            [[np.inf, -np.inf, 800.0, -800.0, np.nan], [1.0, 0.0, 0.0, 1.0, 1.0]],
            {},
        ),
        ("kl_div", [[0.5, 0.2], [0.0, 0.5]], {}),
        ("l1_loss", [[np.nan, np.inf, 1.0], [1.0, 1.0, 1.0]], {}),
        ("smooth_l1_loss", [[np.nan, np.inf, 1.0, 2.0], [1.0, 1.0, 1.0, 1.0]], {}),
        ("huber_loss", [[np.nan, np.inf, 1.0, 2.0], [1.0, 1.0, 1.0, 1.0]], {}),
        ("mse_loss", [[np.nan, np.inf], [1.0, 1.0]], {}),
        ("cross_entropy", [[[-np.inf, 1.0], [800.0, 0.0]], np.array([1, 1])], {}),
        ("cross_entropy", [[-np.inf, 1.0], [0.0, 1.0]], {"reduction": "sum"}),
        ("cross_entropy", [VECTOR, -100], {"reduction": "mean"}),
        ("margin_ranking_loss", [[1.0, np.nan], [1.0, 1.0], [1.0, 1.0]], {}),
        ("nll_loss", [[[np.nan, 1.0], [-np.inf, 0.0]], np.array([1, 0])], {}),
    ],
)
def test_infinities_nan_and_kinks_are_those_of_torch(both, name, operands, changes):
    run = both(name, operands, settings(name, **{"reduction": "none", **changes}), "float64")
    np.testing.assert_allclose(run.value, run.torch_value, rtol=1e-15)
    for ours, theirs in zip(run.gradients, run.torch_gradients, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-14)


def test_every_loss_is_tested_here():
    assert {one.name for one in GROUPS["Losses"]} == {name for name, *_ in CASES}


def run_text(text: str) -> dict[str, Any]:
    """The final gradients of a program in the shorthand, by input."""
    trace = record(parse_shorthand(Source("<-e>", text)))
    grads = trace.passes[-1].grads or {}
    return {name: grads[node] for name, node in graph_of(trace).inputs.items()}


def test_softmax_and_cross_entropy_together_give_probability_less_target():
    grads = run_text(
        "z=torch.tensor([2, 1, 0.1], requires_grad=True), loss=F.cross_entropy(z, torch.tensor(0))"
    )
    powers = np.exp([2, 1, 0.1])
    np.testing.assert_allclose(grads["z"], powers / powers.sum() - [1, 0, 0], rtol=1e-14)


@pytest.mark.parametrize(
    "call",
    [
        "F.mse_loss(x, [1, 2, 3], reduction='sum')",
        "F.mse_loss(x, [1, 2, 3], None, None, 'sum')",
        "nn.functional.mse_loss(input=x, target=[1, 2, 3], reduction='sum')",
        "x.mse_loss([1, 2, 3], reduction='sum')",
    ],
)
def test_a_loss_is_called_as_torch_calls_it(call):
    np.testing.assert_array_equal(run_text(f"x=[2, 2, 2], loss={call}")["x"], [2, 0, -2])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x=[1, 2], y=mse_loss(x, [1, 2], 'sum')", "`size_average` of `mse_loss` is not supported"),
        (
            "x=[1, 2], y=mse_loss(x, [1, 2], reduction='max')",
            "`reduction` of `mse_loss` cannot be `max`",
        ),
        ("x=[1, 2], y=mse_loss(x, [1, 2, 3])", "(2,) and (3,)"),
        (
            "z=[1, 2, 3], y=cross_entropy(z, torch.tensor(3))",
            "got the class 3, but the input has 3 classes, numbered 0 to 2",
        ),
        ("z=[1, 2, 3], y=cross_entropy(z, torch.tensor(-1))", "got the class -1"),
        ("z=[[1, 2, 3]], y=cross_entropy(z, torch.tensor([0, 1]))", "shape (1, 3) with a target"),
        ("z=[[1, 2, 3]], y=cross_entropy(z, [0])", "these are no whole numbers"),
        (
            "w=torch.tensor([1., 2.], requires_grad=True), y=nll_loss(w, torch.tensor(0), w)",
            "`nll_loss` has no derivative by `weight`, which requires grad",
        ),
        (
            "z=[1, 2], w=[1, 2], y=binary_cross_entropy_with_logits(z, [0, 1], pos_weight=w)",
            "no derivative by `pos_weight`",
        ),
        ("z=[1, 2], y=cross_entropy(z, torch.tensor(0), [1, 2, 3])", "weights of shape (3,)"),
        ("p=[0.5, 1.5], y=binary_cross_entropy(p, [0, 1])", "some of these are not from 0 to 1"),
        ("p=[0.5, 0.5], y=binary_cross_entropy(p, [0])", "of one shape, not (2,) and (1,)"),
        ("z=2, y=nll_loss(z, torch.tensor(0))", "not a single number"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(text, message):
    with pytest.raises(ScenarioError) as caught:
        record(parse_shorthand(Source("<-e>", text)))
    assert message in str(caught.value)


def test_a_weight_left_out_in_the_middle_counts_as_one(both):
    name = "binary_cross_entropy_with_logits"
    weights = torch.tensor(WEIGHTS, dtype=torch.float64)
    ones = torch.ones(3, dtype=torch.float64)
    neutral = both(name, [MATRIX, PROBABLE, 1.0, weights], settings(name), "float64", (2, 3))
    written = both(name, [MATRIX, PROBABLE, ones, weights], settings(name), "float64", (2, 3))
    assert neutral.value == written.value == pytest.approx(float(neutral.torch_value))


def test_class_indices_of_floats_are_refused():
    with pytest.raises(OperandError, match="no whole numbers"):
        OPERATIONS["nll_loss"].forward(np.ones((2, 3)), np.ones(2), **settings("nll_loss"))
