"""An operation and the statements it is made of: one value, one gradient for each operand."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pytest

from backprop_engine.backward import backward
from backprop_engine.basics.notation import plain
from backprop_engine.basics.source import Source
from backprop_engine.basics.values import settle, shape_of
from backprop_engine.catalogue import FUNCTIONS, GROUPS, OPERATIONS
from backprop_engine.graph import Graph
from backprop_engine.mathematics.text import text_of
from backprop_engine.operation import OPERAND_LETTERS, Kind, Rounding
from backprop_engine.reading.explain import explain
from backprop_engine.run.record import record
from backprop_engine.run.tape import graph_of
from backprop_engine.scenarios.loader import parse_document, parse_shorthand
from backprop_engine.trace import Trace


def drawn(*shape: int, seed: int = 5) -> Any:
    return np.random.default_rng(seed).standard_normal(shape)


def case(name: str, *operands: Any, **changes: Any) -> Any:
    return pytest.param(name, list(operands), changes)


PROBABLE = np.array([[0.1, 0.7, 0.2], [0.3, 0.3, 0.4]])
LABELS = np.array([2, 0])
SIGNS = np.array([[1.0, -1.0, 1.0], [-1.0, 1.0, -1.0]])
WEIGHTS = np.array([0.5, 2.0, 1.5])
MASK = np.array([[True, False, True], [True, True, False]])
TITLES = (
    "Layers of networks",
    "Convolution",
    "Pooling",
    "Softmax and attention",
    "Normalisation and lengths",
    "Losses",
)
REDUCTIONS = ("none", "mean", "sum")

CASES = [
    *(
        case(name, operand, dim=dim)
        for name in ("softmax", "log_softmax", "softmin")
        for operand, dim in ((drawn(3), 0), (drawn(2, 3), None), (drawn(2, 3, 2), -1))
    ),
    *(
        case(name, *operands, reduction=reduction, **changes)
        for reduction in REDUCTIONS
        for name, operands, changes in (
            ("mse_loss", (drawn(2, 3), drawn(3)), {}),
            ("l1_loss", (drawn(2, 3), drawn(3)), {}),
            ("smooth_l1_loss", (drawn(2, 3), drawn(3)), {"beta": 0.5}),
            ("smooth_l1_loss", (drawn(2, 3), drawn(3)), {"beta": 0.0}),
            ("huber_loss", (drawn(2, 3), drawn(3)), {"delta": 0.5}),
            ("binary_cross_entropy", (PROBABLE, 1 - PROBABLE), {}),
            ("binary_cross_entropy", (PROBABLE, 1 - PROBABLE, WEIGHTS), {}),
            ("binary_cross_entropy_with_logits", (drawn(2, 3), PROBABLE), {}),
            ("binary_cross_entropy_with_logits", (drawn(2, 3), PROBABLE, WEIGHTS, WEIGHTS), {}),
            ("kl_div", (drawn(2, 3), PROBABLE), {}),
            ("kl_div", (drawn(2, 3), drawn(2, 3, seed=6)), {"log_target": True}),
            ("nll_loss", (drawn(2, 3), LABELS), {}),
            ("nll_loss", (drawn(2, 3), LABELS, WEIGHTS), {"ignore_index": 2}),
            ("soft_margin_loss", (drawn(2, 3), SIGNS), {}),
            ("hinge_embedding_loss", (drawn(2, 3), SIGNS), {}),
            ("margin_ranking_loss", (drawn(2, 3), drawn(3), SIGNS), {"margin": 0.5}),
            ("poisson_nll_loss", (drawn(2, 3), PROBABLE * 5), {"full": True}),
            ("poisson_nll_loss", (PROBABLE, PROBABLE * 5), {"log_input": False}),
            ("gaussian_nll_loss", (drawn(2, 3), SIGNS, PROBABLE), {"full": True, "eps": 0.25}),
            ("cross_entropy", (drawn(3), 1), {}),
            ("cross_entropy", (drawn(2, 3), LABELS), {}),
            ("cross_entropy", (drawn(2, 3), LABELS, WEIGHTS), {"ignore_index": 0}),
            ("cross_entropy", (drawn(2, 3), LABELS, WEIGHTS), {"label_smoothing": 0.1}),
            ("cross_entropy", (drawn(2, 3), LABELS), {"label_smoothing": 0.1, "ignore_index": 0}),
            ("cross_entropy", (drawn(2, 3, 2), np.array([[0, 1], [2, 2]])), {}),
            ("cross_entropy", (drawn(2, 3), PROBABLE), {}),
            ("cross_entropy", (drawn(2, 3, 2), drawn(2, 3, 2, seed=6), WEIGHTS), {}),
            ("cross_entropy", (drawn(2, 3), PROBABLE), {"label_smoothing": 0.1}),
        )
    ),
    case("kl_div", drawn(2, 3), PROBABLE, reduction="batchmean"),
    case("layer_norm", drawn(2, 3), normalized_shape=3),
    case("layer_norm", drawn(2, 3, 2), drawn(3, 2), drawn(3, 2), normalized_shape=(3, 2)),
    case("rms_norm", drawn(2, 3), normalized_shape=(3,)),
    case("rms_norm", drawn(2, 3), drawn(3), normalized_shape=(3,), eps=0.1),
    case("batch_norm", drawn(4, 3), training=True),
    case("batch_norm", drawn(4, 3, 2), drawn(3), drawn(3), training=True),
    case("group_norm", drawn(2, 4, 3), drawn(4), drawn(4), num_groups=2),
    case("instance_norm", drawn(2, 4, 3), drawn(4)),
    *(
        case("normalize", drawn(2, 3), p=p, dim=1) for p in (2.0, 1.0, 3.0, 0.0, float("inf"))
    ),
    case("cosine_similarity", drawn(2, 3), drawn(3), dim=-1),
    *(
        case("pairwise_distance", drawn(2, 3), drawn(3), p=p, keepdim=keepdim)
        for p in (2.0, 1.0, 3.0)
        for keepdim in (True, False)
    ),
    case("conv2d", drawn(2, 3, 5, 4), drawn(4, 3, 2, 3), drawn(4), stride=(2, 1), padding=1),
    case("conv2d", drawn(1, 3, 5, 6), drawn(4, 3, 2, 2), dilation=2),
    case("linear", drawn(2, 3), drawn(4, 3)),
    case("linear", drawn(2, 3), drawn(4, 3), drawn(4)),
    case("linear", drawn(2, 3), drawn(3)),
    *(
        case(
            "scaled_dot_product_attention", drawn(2, 2), drawn(3, 2), drawn(3, 4), *mask, **changes
        )
        for mask, changes in (
            ((), {}),
            ((), {"is_causal": True}),
            ((), {"scale": 0.5}),
            ((drawn(2, 3),), {}),
            ((MASK,), {}),
        )
    ),
]  # fmt: skip


def settings(name: str, changes: dict[str, Any]) -> dict[str, Any]:
    defaults = {
        parameter.name: parameter.default
        for parameter in OPERATIONS[name].spelling.parameters
        if parameter.kind is not Kind.OPERAND and parameter.is_taken
    }
    return {**defaults, **changes}


def parts_of(name: str, operands: list[Any], changes: dict[str, Any]) -> set[str]:
    """The functions that the statements call."""
    text = OPERATIONS[name].description.opened(operands, settings(name, changes))
    return set(re.findall(r"(\w+)\(", text)) - {"tensor"}


def test_every_part_is_a_function_of_the_catalogue():
    assert {part for one in CASES for part in parts_of(*one.values)} <= set(FUNCTIONS)


def opened(name: str, operands: list[Any], attributes: dict[str, Any], seed: Any) -> Trace:
    """A scenario of what the operation is made of, with the operands for inputs."""
    *lines, last = OPERATIONS[name].description.opened(operands, attributes).split("\n")
    inputs = {}
    for letter, operand in zip(OPERAND_LETTERS, operands, strict=False):
        value = {"value": np.asarray(operand).tolist()}
        kind = str(np.asarray(operand).dtype)
        inputs[letter] = value if kind == "float64" else {**value, "dtype": kind}
    document = {
        "inputs": inputs,
        "compute": "\n".join([*lines, f"y = {last}"]),
        "backward": [{"of": "y", "gradient": np.asarray(seed).tolist()}],
    }
    return record(parse_document(Source("composite.yaml", json.dumps(document))))


@pytest.mark.parametrize(("name", "operands", "changes"), CASES)
def test_an_operation_and_what_it_is_made_of_agree(name, operands, changes):
    operation, attributes = OPERATIONS[name], settings(name, changes)
    graph = Graph()
    differentiable = len(operation.derivatives)
    leaves = [
        graph.add_input(
            OPERAND_LETTERS[at],
            one,
            requires_grad=at < differentiable and np.asarray(one).dtype == "float64",
        )
        for at, one in enumerate(operands)
    ]
    node = graph.apply(operation, tuple(leaves), attributes)
    seed = settle(np.asarray(drawn(*shape_of(graph.value[node]), seed=9)), "float64")
    received = {step.operand: step.total for step in backward(graph, node, seed)}

    trace = opened(name, operands, attributes, seed)
    value = graph_of(trace).value[trace.assigned["y"]]
    np.testing.assert_allclose(value, graph.value[node], rtol=1e-12, atol=1e-14)
    assert shape_of(value) == shape_of(graph.value[node])
    for leaf, gradient in received.items():
        other = trace.passes[-1].grads[graph_of(trace).inputs[OPERAND_LETTERS[leaf]]]
        np.testing.assert_allclose(other, gradient, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("title", TITLES)
def test_an_example_runs_and_shows_its_operation(title):
    for operation in GROUPS[title]:
        trace = record(parse_shorthand(Source("<-e>", operation.description.example)))
        assert operation in graph_of(trace).operation
        for step in range(len(trace)):
            told = explain(trace, step)
            formulas = text_of(told.formula) + text_of(told.vjp)
            assert "?" not in plain(told.headline + formulas + told.sentence)


@pytest.mark.parametrize("title", TITLES)
def test_what_has_several_steps_can_be_opened(title):
    opaque = {one.name for one in GROUPS[title] if not one.description.composite}
    several_steps = {one.name for one in GROUPS[title] if one.rounding is Rounding.CONDITION}
    assert not opaque & several_steps
