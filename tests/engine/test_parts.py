"""What an operation is made of, written out in the language of scenarios, is the same operation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sympy

from backprop_engine.basics.source import Source
from backprop_engine.basics.values import settle
from backprop_engine.catalogue import GROUPS, OPERATIONS
from backprop_engine.operation import OPERAND_LETTERS
from backprop_engine.run.record import record
from backprop_engine.run.tape import graph_of
from backprop_engine.scenarios.loader import parse_shorthand

VECTOR = [0.3, -1.2, 2.0]
MATRIX = [[0.5, -1.0, 2.0], [1.5, 0.25, -0.75]]
SQUARE = [[0.5, -1.0, 2.0], [1.5, 0.25, -0.75], [2.5, 1.0, 0.125]]
POSITIVE = [[4.0, 1.0], [1.0, 3.0]]
BATCH = (np.cos(np.arange(12)) * 2).reshape(2, 2, 3).tolist()

CASES: list[tuple[str, list[Any], dict[str, Any]]] = [
    ("mean", [MATRIX], {}),
    ("mean", [BATCH], {"dim": (0, -1), "keepdim": True}),
    ("var", [VECTOR], {}),
    ("var", [BATCH], {"dim": (0, 2), "unbiased": False}),
    ("var", [BATCH], {"dim": -1, "correction": 2.0, "keepdim": True}),
    ("var.unbiased", [VECTOR], {"unbiased": False}),
    ("std.unbiased", [MATRIX], {"unbiased": True}),
    ("std", [VECTOR], {}),
    ("std", [BATCH], {"dim": 1, "unbiased": True}),
    ("logsumexp", [VECTOR], {"dim": 0}),
    ("logsumexp", [BATCH], {"dim": (0, 2)}),
    ("logsumexp", [BATCH], {"dim": 1, "keepdim": True}),
    *(("norm", [VECTOR], {"p": p}) for p in (2.0, 1.0, 3.0, 0.5, np.inf, -np.inf)),
    ("norm", [BATCH], {"p": 3.0, "dim": 1}),
    ("norm.fro", [MATRIX], {"p": "fro"}),
    ("vector_norm", [VECTOR], {"p": 3.0}),
    ("linalg.norm", [MATRIX], {}),
    ("linalg.norm", [MATRIX], {"p": 3.0, "dim": 1}),
    ("dot", [VECTOR, VECTOR[::-1]], {}),
    ("vdot", [VECTOR, VECTOR[::-1]], {}),
    ("outer", [VECTOR, [1.0, 2.0]], {}),
    ("addmm", [VECTOR, MATRIX, SQUARE], {"beta": 0.5, "alpha": -2.0}),
    ("addmv", [[1.0, 2.0], MATRIX, VECTOR], {}),
    ("baddbmm", [VECTOR, BATCH, [SQUARE, SQUARE]], {"alpha": 3.0}),
    ("trace", [SQUARE], {}),
    ("logdet", [POSITIVE], {}),
]


@pytest.mark.parametrize(("name", "operands", "given"), CASES)
def test_the_parts_give_the_same_value_and_the_same_gradients(name, operands, given, with_defaults):
    operation = OPERATIONS[name]
    attributes = with_defaults(operation, given)
    arrays = [np.array(operand) for operand in operands]
    *before, last = operation.description.opened(arrays, attributes).split("\n")
    inputs = [f"{letter}={one}" for letter, one in zip("abc", operands, strict=False)]
    text = "\n".join([*inputs, *before, f"whole = {last}", "total = whole.sum()"])
    trace = record(parse_shorthand(Source("<-e>", text)))
    value = operation.forward(*arrays, **attributes)
    np.testing.assert_allclose(graph_of(trace).value[trace.assigned["whole"]], value, rtol=1e-13)
    grads = trace.passes[-1].grads
    assert grads is not None
    for at, letter in zip(range(len(operands)), OPERAND_LETTERS, strict=False):
        sent = operation.send(at, np.ones_like(value), value, arrays, attributes)
        found = grads[graph_of(trace).inputs[letter]]
        np.testing.assert_allclose(found, sent, rtol=1e-12, atol=1e-14)


def test_every_operation_of_these_groups_that_can_be_opened_is_opened_here():
    titles = (
        "Sums, means and products",
        "Variance and norms",
        "Products of vectors and matrices",
        "Inverses and determinants",
        "Diagonals and triangles",
    )
    can_be = {one.name for title in titles for one in GROUPS[title] if one.description.composite}
    assert {name for name, _, _ in CASES} == can_be


SCALAR_ATTRIBUTES: dict[str, dict[str, Any]] = {
    **{key: {"dim": 0} for key in ("logsumexp", "cumsum", "cumprod")},
    **{
        key: {"dim": 0, "output": 0}
        for key in ("max.dim", "min.dim", "median.dim", "cummax", "cummin")
    },
    **{key: {"k": 1, "output": 0} for key in ("topk", "kthvalue")},
    "sort": {"output": 0},
    "transpose": {"dim0": 0, "dim1": -1},
    "slogdet": {"output": 0},
    "norm.fro": {"p": "fro"},
    "roll": {"shifts": 1},
    "flip": {"dims": (0,)},
}


@pytest.mark.parametrize(
    "name", [name for name, one in OPERATIONS.items() if one.twins.symbolic and not one.elementwise]
)
def test_of_a_number_the_symbolic_form_has_the_same_value_and_slope(name, with_defaults):
    operation = OPERATIONS[name]
    attributes = with_defaults(operation, SCALAR_ATTRIBUTES.get(name, {}))
    point = [-1.5, 0.75][: len(operation.derivatives)]
    symbols = [sympy.Symbol(letter, real=True) for letter in OPERAND_LETTERS[: len(point)]]
    at = dict(zip(symbols, point, strict=True))
    expression = operation.twins.symbolic(sympy, *symbols, **attributes)
    value = settle(operation.forward(*point, **attributes), "float64")
    assert float(expression.subs(at)) == pytest.approx(value, rel=1e-14)
    for position, symbol in enumerate(symbols):
        slope = settle(operation.send(position, 1.0, value, point, attributes), "float64")
        assert float(sympy.diff(expression, symbol).subs(at)) == pytest.approx(slope, rel=1e-14)
