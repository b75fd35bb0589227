"""Reductions, statistics, extremes and orderings against their torch twins."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from backprop_engine.basics.source import OperandError
from backprop_engine.catalogue import GROUPS, OPERATIONS
from backprop_engine.graph import Graph

INF, NAN = float("inf"), float("nan")
VECTOR = [0.3, -1.2, 2.0, 0.7]
MATRIX = [[0.5, -1.0, 2.0], [1.5, 0.25, -0.75]]
CUBE = (np.cos(np.arange(24)) * 2).reshape(2, 3, 4).tolist()
TIES = [[3.0, 1.0, 3.0], [1.0, 1.0, 2.0]]
ZEROS = [[0.0, 2.0, 3.0], [0.0, 0.0, 4.0], [5.0, 6.0, 7.0]]
EMPTY: list[list[float]] = [[], []]

Case = tuple[list[Any], dict[str, Any]]

ALONG: list[Case] = [
    ([1.5], {}),
    ([1.5], {"dim": 0}),
    ([1.5], {"dim": -1, "keepdim": True}),
    ([VECTOR], {}),
    ([CUBE], {"dim": 1}),
    ([CUBE], {"dim": -1, "keepdim": True}),
    ([CUBE], {"dim": (0, 2)}),
    ([CUBE], {"dim": (0, -1), "keepdim": True}),
    ([MATRIX], {"keepdim": True}),
    ([MATRIX], {"dim": ()}),
]
ONE_AXIS: list[Case] = [
    ([1.5], {"dim": 0}),
    ([VECTOR], {"dim": 0}),
    ([CUBE], {"dim": 1}),
    ([CUBE], {"dim": -1}),
    ([TIES], {"dim": 1}),
]
KEPT: list[Case] = [([CUBE], {"dim": 0, "keepdim": True}), ([[NAN, 1.0, 2.0]], {"dim": 0})]


def with_outputs(cases: list[Case]) -> list[Case]:
    return [(operands, {**given, "output": at}) for operands, given in cases for at in (0, 1)]


NORMS: list[Case] = [
    (operands, {"p": p, **along})
    for p in (2.0, 1.0, 3.0, 1.5, 0.5, INF, -INF, -1.0)
    for operands, along in (([VECTOR], {}), ([CUBE], {"dim": 1}), ([TIES], {"dim": -1}))
]
CASES: dict[str, list[Case]] = {
    "sum": [*ALONG, ([EMPTY], {}), ([EMPTY], {"dim": 1}), ([np.array([1, 2])], {})],
    "mean": [*ALONG, ([EMPTY], {}), ([EMPTY], {"dim": 0})],
    "prod": [
        ([1.5], {}), ([0.0], {}), ([INF], {}), ([VECTOR], {}), ([CUBE], {"dim": 1}),
        ([CUBE], {"dim": -1, "keepdim": True}), ([ZEROS], {}), ([ZEROS], {"dim": 1}),
        ([ZEROS], {"dim": 0}), ([[0.0, 2.0, 3.0]], {}), ([[INF, 0.0, 3.0]], {}),
        ([[INF, 2.0, 3.0]], {}), ([EMPTY], {}), ([1.5], {"dim": 0}),
    ],
    "nansum": [*ALONG[:8], ([[NAN, 2.0, 3.0]], {}), ([[NAN, 2.0, 3.0]], {"dim": 0})],
    "count_nonzero": [
        ([ZEROS], {}), ([ZEROS], {"dim": 0}), ([ZEROS], {"dim": (0, 1)}), ([0.0], {}),
    ],
    "any": [([ZEROS], {}), ([ZEROS], {"dim": 1}), ([ZEROS], {"dim": (0, 1), "keepdim": True})],
    "all": [([ZEROS], {}), ([ZEROS], {"dim": 1}), ([np.array([True, False])], {})],
    "var": [
        ([EMPTY], {"dim": 0}),
        ([VECTOR], {}), ([VECTOR], {"unbiased": False}), ([CUBE], {"dim": 1}),
        ([CUBE], {"dim": (0, 2), "correction": 0.0}), ([CUBE], {"dim": -1, "keepdim": True}),
        ([CUBE], {"dim": 0, "unbiased": True}), ([CUBE], {"correction": 2.0, "keepdim": True}),
        ([[2.0, 2.0]], {}), ([2.0], {"correction": 0.0}),
    ],
    "std": [
        ([EMPTY], {"dim": 0}), ([[2.0]], {}),
        ([VECTOR], {}), ([VECTOR], {"unbiased": False}), ([CUBE], {"dim": 1}),
        ([CUBE], {"dim": (0, 2), "correction": 0.0}), ([CUBE], {"dim": -1, "keepdim": True}),
        ([[2.0, 2.0]], {}),
    ],
    "var.unbiased": [([VECTOR], {"unbiased": False}), ([CUBE], {"unbiased": True})],
    "std.unbiased": [([VECTOR], {"unbiased": False}), ([CUBE], {"unbiased": True})],
    "logsumexp": [
        ([VECTOR], {"dim": 0}), ([CUBE], {"dim": 1}), ([CUBE], {"dim": (0, 2), "keepdim": True}),
        ([1.5], {"dim": 0}), ([[1000.0, 1001.0]], {"dim": 0}), ([[-INF, -INF]], {"dim": 0}),
        ([[INF, 2.0]], {"dim": 0}), ([EMPTY], {"dim": 1}), ([CUBE], {"dim": -1, "keepdim": True}),
    ],
    "norm": [
        *NORMS, ([1.5], {}), ([CUBE], {"dim": (0, 2), "keepdim": True}), ([[0.0, 0.0]], {}),
        ([[0.0, 0.0]], {"p": 3.0}), ([[0.0, 0.0]], {"p": 1.0}), ([[0.0, 2.0]], {"p": 0.5}),
        ([EMPTY], {}), ([[0.0, 0.0]], {"p": INF}),
    ],
    "norm.fro": [([MATRIX], {"p": "fro"}), ([CUBE], {"p": "fro", "dim": (0, 1)})],
    "vector_norm": NORMS[:6],
    "linalg.norm": [
        ([VECTOR], {}), ([VECTOR], {"p": 3.0}), ([CUBE], {}), ([MATRIX], {"p": 1.0, "dim": 0}),
        ([CUBE], {"dim": (0, 1)}),
    ],
    "max": [([1.5], {}), ([CUBE], {}), ([TIES], {}), ([[1.0, NAN, 3.0]], {})],
    "min": [([1.5], {}), ([CUBE], {}), ([TIES], {}), ([[1.0, NAN, 3.0]], {})],
    "amax": [
        *ALONG, ([TIES], {}), ([TIES], {"dim": 1}), ([[1.0, NAN, 3.0]], {}), ([EMPTY], {"dim": 0}),
    ],
    "amin": [*ALONG, ([TIES], {}), ([TIES], {"dim": 1}), ([[1.0, NAN, 3.0]], {})],
    "argmax": [
        ([1.5], {}), ([CUBE], {}), ([CUBE], {"dim": 1}), ([TIES], {"dim": 1, "keepdim": True}),
    ],
    "argmin": [([1.5], {}), ([CUBE], {}), ([CUBE], {"dim": 1}), ([TIES], {"keepdim": True})],
    "median": [([1.5], {}), ([CUBE], {}), ([TIES], {}), ([[1.0, NAN, 3.0]], {}), ([EMPTY], {})],
    "max.dim": with_outputs([*ONE_AXIS, *KEPT, ([EMPTY], {"dim": 0})]),
    "min.dim": with_outputs([*ONE_AXIS, *KEPT]),
    "median.dim": with_outputs([*ONE_AXIS, *KEPT]),
    "cumsum": [*ONE_AXIS, ([EMPTY], {"dim": 1})],
    "cumprod": [
        *ONE_AXIS, ([ZEROS], {"dim": 1}), ([ZEROS], {"dim": 0}), ([[INF, 2.0]], {"dim": 0}),
    ],
    "cummax": with_outputs([*ONE_AXIS, ([[1.0, NAN, 3.0, NAN]], {"dim": 0})]),
    "cummin": with_outputs([*ONE_AXIS, ([[1.0, NAN, 3.0, NAN]], {"dim": 0})]),
    "sort": with_outputs([
        *ONE_AXIS, ([TIES], {"descending": True}), ([[1.0, NAN, 3.0, NAN]], {"descending": True}),
        ([CUBE], {"stable": True}),
    ]),
    "argsort": [([CUBE], {}), ([TIES], {"descending": True}), ([1.5], {})],
    "topk": with_outputs([
        ([CUBE], {"k": 2}), ([CUBE], {"k": 2, "dim": 1, "largest": False}), ([1.5], {"k": 1}),
        ([VECTOR], {"k": 0}),
    ]),
    "kthvalue": with_outputs([
        ([CUBE], {"k": 2}), ([CUBE], {"k": 1, "dim": 0, "keepdim": True}), ([1.5], {"k": 1}),
    ]),
}  # fmt: skip


def test_every_operation_of_these_groups_has_cases():
    groups = (
        "Sums, means and products",
        "Variance and norms",
        "Largest, smallest, median",
        "Sorting and running results",
    )
    assert {one.name for group in groups for one in GROUPS[group]} == set(CASES)


@pytest.mark.filterwarnings("ignore:.*degrees of freedom:UserWarning")
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", CASES)
def test_value_gradients_and_grad_fn_equal_those_of_torch(name, dtype, agree):
    for operands, attributes in CASES[name]:
        agree(name, operands, attributes, dtype)


def test_max_of_everything_shares_a_tie_and_max_along_an_axis_does_not(agree):
    whole = agree("max", [[2.0, 2.0]], {}, "float64")
    along = agree("max.dim", [[2.0, 2.0]], {"dim": 0, "output": 0}, "float64")
    assert whole.gradients[0][0] == whole.gradients[0][1] > 0
    assert along.gradients[0][1] == 0 < along.gradients[0][0]


def test_the_median_of_two_is_the_lower(agree):
    assert agree("median", [[4.0, 1.0]], {}, "float64").value == 1.0


@pytest.mark.parametrize(
    ("name", "operands", "attributes", "message"),
    [
        ("sum", [VECTOR], {"dim": 1, "keepdim": False}, "in range of [-1, 0], but got 1)"),
        ("sum", [1.5], {"dim": 1, "keepdim": False}, "in range of [-1, 0], but got 1)"),
        ("mean", [np.array([1, 2])], {"dim": None, "keepdim": False}, "floating-point numbers"),
        ("max", [[]], {}, "`max` has no answer for no elements: the shape is (0,)"),
        ("amax", [EMPTY], {"dim": 1, "keepdim": False}, "the shape is (2, 0)"),
        ("max.dim", [EMPTY], {"dim": 1, "keepdim": False, "output": 0}, "no answer for no"),
        ("argmax", [[]], {"dim": None, "keepdim": False}, "`argmax` has no answer"),
        ("prod", [VECTOR], {"dim": None, "keepdim": True}, "keeps an axis only where `dim`"),
        ("topk", [VECTOR], {"k": 9, "dim": -1, "largest": True, "output": 0}, "cannot take 9 of 4"),
        ("kthvalue", [VECTOR], {"k": 0, "dim": -1, "keepdim": False, "output": 0}, "element 0 of"),
        ("cumsum", [VECTOR], {"dim": 3}, "in range of [-1, 0], but got 3)"),
        ("linalg.norm", [MATRIX], {"p": 1.0, "dim": None, "keepdim": False}, "is a matrix norm"),
        ("linalg.norm", [CUBE], {"p": 1.0, "dim": None, "keepdim": False}, "takes a vector, not"),
        ("norm", [VECTOR], {"p": 0.0, "dim": None, "keepdim": False}, "use `count_nonzero`"),
        ("norm", [[]], {"p": -INF, "dim": None, "keepdim": False}, "no answer for no elements"),
    ],
)
def test_operands_that_do_not_fit_are_refused_in_words(name, operands, attributes, message):
    graph = Graph()
    values = [
        operand if isinstance(operand, float | np.ndarray) else np.array(operand, float)
        for operand in operands
    ]
    leaves = tuple(
        graph.add_input(f"x{at}", one, requires_grad=False) for at, one in enumerate(values)
    )
    with pytest.raises(OperandError) as caught:
        graph.apply(OPERATIONS[name], leaves, attributes)
    assert message in f"{caught.value}; {caught.value.fix}"
