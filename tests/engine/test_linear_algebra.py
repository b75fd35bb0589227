"""Products, sums of products, inverses and diagonals against their torch twins."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from backprop_engine.basics.memory_order import strides_of
from backprop_engine.basics.source import OperandError, Source
from backprop_engine.catalogue import GROUPS, OPERATIONS
from backprop_engine.graph import Graph
from backprop_engine.run.record import record
from backprop_engine.scenarios.loader import parse_shorthand

VECTOR = [0.3, -1.2, 2.0]
MATRIX = [[0.5, -1.0, 2.0], [1.5, 0.25, -0.75]]
SQUARE = [[0.5, -1.0, 2.0], [1.5, 0.25, -0.75], [2.5, 1.0, 0.125]]
CUBE = (np.cos(np.arange(24)) * 2).reshape(2, 3, 4).tolist()
BATCH = (np.sin(np.arange(18)).reshape(2, 3, 3) + 2 * np.eye(3)).tolist()
POSITIVE = (np.array(SQUARE) @ np.array(SQUARE).T + np.eye(3)).tolist()
SINGULAR = [[1.0, 2.0], [2.0, 4.0]]


def normal(*shape: int) -> list[Any]:
    drawn = np.random.default_rng(sum(shape)).standard_normal(shape)
    return [one.tolist() for one in drawn]


Case = tuple[list[Any], dict[str, Any]]


def equation(text: str, *operands: Any) -> Case:
    return list(operands), {"equation": text}


CASES: dict[str, list[Case]] = {
    "matmul": [
        ([VECTOR, VECTOR], {}),
        ([MATRIX, VECTOR], {}),
        ([VECTOR, SQUARE], {}),
        ([MATRIX, SQUARE], {}),
        ([CUBE, normal(4, 2)], {}),
        ([CUBE, normal(4)], {}),
        ([VECTOR, CUBE], {}),
        ([CUBE, normal(2, 4, 2)], {}),
        ([MATRIX, CUBE], {}),
        ([CUBE, normal(1, 4, 2)], {}),
        ([CUBE, normal(5, 1, 4, 2)], {}),
        ([np.zeros((0, 3)), SQUARE], {}),
    ],
    "dot": [([VECTOR, VECTOR[::-1]], {}), ([[], []], {})],
    "vdot": [([VECTOR, VECTOR[::-1]], {})],
    "mm": [([MATRIX, SQUARE], {}), ([np.zeros((2, 0)), np.zeros((0, 3))], {})],
    "mv": [([MATRIX, VECTOR], {})],
    "bmm": [([CUBE, normal(2, 4, 2)], {})],
    "outer": [([VECTOR, [1.0, 2.0]], {}), ([VECTOR, []], {})],
    "inner": [
        ([VECTOR, VECTOR], {}),
        ([MATRIX, SQUARE], {}),
        ([MATRIX, VECTOR], {}),
        ([CUBE, normal(2, 4)], {}),
        ([2.0, MATRIX], {}),
        ([MATRIX, 2.0], {}),
        ([2.0, 3.0], {}),
    ],
    "kron": [
        ([MATRIX, SQUARE], {}),
        ([VECTOR, [1.0, 2.0]], {}),
        ([MATRIX, VECTOR], {}),
        ([VECTOR, CUBE], {}),
        ([2.0, VECTOR], {}),
    ],
    "cross": [([VECTOR, [1.0, 2.0, 3.0]], {}), ([MATRIX, SQUARE[:2]], {"dim": 1})],
    "linalg.cross": [
        ([VECTOR, [1.0, 2.0, 3.0]], {}),
        ([SQUARE, [VECTOR]], {}),
        ([SQUARE, SQUARE[::-1]], {"dim": 0}),
    ],
    "addmm": [
        ([SQUARE[:2], MATRIX, SQUARE], {}),
        ([VECTOR, MATRIX, SQUARE], {"beta": 0.5, "alpha": -2.0}),
        ([2.0, MATRIX, SQUARE], {}),
        ([[[1.0], [2.0]], MATRIX, SQUARE], {"beta": 3.0}),
    ],
    "addmv": [
        ([[1.0, 2.0], MATRIX, VECTOR], {}),
        ([2.0, MATRIX, VECTOR], {"beta": 0.5, "alpha": -2.0}),
    ],
    "baddbmm": [
        ([normal(2, 3, 2), CUBE, normal(2, 4, 2)], {}),
        ([[1.0, 2.0], CUBE, normal(2, 4, 2)], {"beta": 0.5, "alpha": 3.0}),
    ],
    "einsum": [
        equation("ij,jk->ik", MATRIX, SQUARE),
        equation("ij,jk", MATRIX, SQUARE),
        equation("ij->ji", MATRIX),
        equation("ij->i", MATRIX),
        equation("ij->", MATRIX),
        equation("ij", MATRIX),
        equation("ba", MATRIX),
        equation("ii->i", SQUARE),
        equation("ii", SQUARE),
        equation("iij->ji", normal(2, 2, 3)),
        equation("i,i->", VECTOR, VECTOR),
        equation("i,j->ij", VECTOR, [1.0, 2.0]),
        equation("i,i->i", VECTOR, VECTOR),
        equation("ij,ij->", MATRIX, MATRIX),
        equation("ij,kl->k", MATRIX, SQUARE),
        equation("bij,bjk->bik", CUBE, normal(2, 4, 2)),
        equation("...ij,jk->...ik", CUBE, normal(4, 2)),
        equation("i...,i...->...", MATRIX, [[1.0], [2.0]]),
        equation("...i->...", CUBE),
        equation("ij,jk,kl->il", MATRIX, SQUARE, normal(3, 2)),
        equation("ii,ij->j", SQUARE, SQUARE),
        equation("ij, jk -> ki", MATRIX, SQUARE),
        equation(",i->i", 2.0, VECTOR),
        equation("bhqd,bhkd->bhqk", normal(1, 2, 3, 2), normal(1, 2, 4, 2)),
    ],
    "det": [
        ([SQUARE], {}),
        ([BATCH], {}),
        ([[[0.0]]], {}),
        ([[[[0.0]], [[2.0]]]], {}),
    ],
    "logdet": [
        ([POSITIVE], {}),
        ([[[0.0, 1.0], [1.0, 0.0]]], {}),
        ([SINGULAR], {}),
        ([[[1.0, 1.0], [1.0, 1.0]]], {}),
    ],
    "slogdet": [([SQUARE], {"output": 1}), ([BATCH], {"output": 1})],
    "inv": [([SQUARE], {}), ([BATCH], {}), ([[[2.0]]], {}), ([np.full((2, 2), np.nan)], {})],
    "solve": [
        ([SQUARE, SQUARE], {}),
        ([SQUARE, VECTOR], {}),
        ([SQUARE, normal(2, 3, 2)], {}),
        ([BATCH, normal(2, 3)], {}),
        ([BATCH, normal(3, 2)], {}),
        ([BATCH, normal(2, 3, 2)], {}),
    ],
    "matrix_power": [
        *(([SQUARE], {"n": n}) for n in (1, 2, 3, 5, -1, -2)),
        ([BATCH], {"n": 3}),
    ],
    "cholesky": [([POSITIVE], {}), ([[POSITIVE, POSITIVE]], {"upper": True})],
    "linalg.cholesky": [([POSITIVE], {}), ([[POSITIVE, POSITIVE]], {"upper": True})],
    "trace": [([SQUARE], {}), ([MATRIX], {}), ([np.array(MATRIX).T.tolist()], {})],
    "diag": [
        ([VECTOR], {}),
        ([VECTOR], {"diagonal": 1}),
        ([MATRIX], {}),
        ([MATRIX], {"diagonal": 1}),
        ([SQUARE], {"diagonal": -1}),
    ],
    "diagonal": [
        ([MATRIX], {}),
        ([SQUARE], {"offset": -1}),
        ([CUBE], {"offset": 1, "dim1": 1, "dim2": 2}),
        ([CUBE], {"dim1": -1, "dim2": 0}),
        ([CUBE], {"dim1": 2, "dim2": 1, "offset": -1}),
        ([MATRIX], {"offset": 5}),
    ],
    "diag_embed": [
        ([VECTOR], {}),
        ([MATRIX], {"offset": -1}),
        ([MATRIX], {"dim1": 0, "dim2": 2}),
    ],
    "tril": [([SQUARE], {}), ([CUBE], {"diagonal": 1}), ([MATRIX], {"diagonal": -1})],
    "triu": [([SQUARE], {}), ([CUBE], {"diagonal": 1}), ([MATRIX], {"diagonal": -1})],
}


def test_every_operation_of_these_groups_has_cases():
    groups = (
        "Products of vectors and matrices",
        "Inverses and determinants",
        "Diagonals and triangles",
    )
    assert {one.name for group in groups for one in GROUPS[group]} == set(CASES)


@pytest.mark.filterwarnings("ignore:Using torch.cross without")
@pytest.mark.filterwarnings("ignore:torch.cholesky is deprecated")
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", CASES)
def test_value_gradients_and_grad_fn_equal_those_of_torch(name, dtype, agree):
    for operands, attributes in CASES[name]:
        agree(name, operands, attributes, dtype)


def test_to_the_power_of_zero_a_matrix_is_the_identity_and_has_no_slope():
    graph = Graph()
    a = graph.add_input("a", np.array(SQUARE), requires_grad=True)
    node = graph.apply(OPERATIONS["matrix_power"], (a,), {"n": 0})
    np.testing.assert_array_equal(graph.value[node], np.eye(3))
    sent = OPERATIONS["matrix_power"].send(0, np.eye(3), np.eye(3), [np.array(SQUARE)], {"n": 0})
    assert not sent.any()
    twin = torch.tensor(SQUARE, requires_grad=True)
    assert graph.grad_fn(node) == torch.linalg.matrix_power(twin, 0).grad_fn.name()


def test_the_sign_of_a_determinant_has_no_slope():
    operation = OPERATIONS["slogdet"]
    assert (
        operation.forward(np.array(SQUARE), output=0)
        == torch.linalg.slogdet(torch.tensor(SQUARE))[0].item()
    )
    assert not operation.send(0, 1.0, 1.0, [np.array(SQUARE)], {"output": 0}).any()


def test_where_beta_is_zero_what_is_added_does_not_count(agree):
    nan = float("nan")
    agree("addmm", [[nan, nan, nan], MATRIX, SQUARE], {"beta": 0.0}, "float64")


@pytest.mark.parametrize("name", ["inv", "solve", "linalg.cholesky"])
def test_a_result_of_lapack_lies_column_by_column_as_in_torch(name, with_defaults):
    operands = [np.array(POSITIVE), np.array(SQUARE)][: len(OPERATIONS[name].derivatives)]
    attributes = with_defaults(OPERATIONS[name], {})
    twin = OPERATIONS[name].twins.torch(torch, *map(torch.tensor, operands), **attributes)
    made = OPERATIONS[name].forward(*operands, **attributes)
    assert not twin.is_contiguous()
    assert strides_of(OPERATIONS[name].lay_out(made, operands, attributes)) == twin.stride()


@pytest.mark.parametrize(
    ("name", "operands", "attributes", "message"),
    [
        ("matmul", [MATRIX, [1.0, 2.0]], {}, "`@` cannot multiply shapes (2, 3) and (2,)"),
        ("matmul", [2.0, VECTOR], {}, "`@` takes vectors and matrices"),
        ("matmul", [CUBE, normal(3, 4, 2)], {}, "shape (2, 3, 4) and (3, 4, 2)"),
        ("dot", [VECTOR, MATRIX], {}, "`dot` takes two vectors"),
        ("dot", [VECTOR, [1.0]], {}, "of one length, not 3 and 1"),
        ("mm", [MATRIX, MATRIX], {}, "not shapes (2, 3) and (2, 3)"),
        ("mm", [MATRIX, VECTOR], {}, "`mm` takes two matrices"),
        ("mv", [MATRIX, MATRIX], {}, "`mv` takes a matrix and a vector"),
        ("bmm", [CUBE, normal(3, 4, 2)], {}, "not shapes (2, 3, 4) and (3, 4, 2)"),
        ("outer", [MATRIX, VECTOR], {}, "`outer` takes two vectors, not shapes (2, 3) and (3,)"),
        ("inner", [MATRIX, CUBE], {}, "`inner` cannot multiply shapes (2, 3) and (2, 3, 4)"),
        ("cross", [[1.0, 2.0], VECTOR], {"dim": None}, "the shapes are (2,) and (3,)"),
        ("addmm", [VECTOR, MATRIX, MATRIX], {"beta": 1.0, "alpha": 1.0}, "`addmm` cannot multiply"),
        (
            "addmm",
            [[1.0, 2.0], MATRIX, SQUARE],
            {"beta": 1.0, "alpha": 1.0},
            "cannot add shape (2,)",
        ),
        ("einsum", [MATRIX], {"equation": "ij,jk"}, "has 1 operands, but 'ij,jk' names 2"),
        (
            "einsum",
            [MATRIX],
            {"equation": "i"},
            "`i` in 'i' does not name the axes of shape (2, 3)",
        ),
        ("einsum", [MATRIX, MATRIX], {"equation": "ij,jk"}, "`j` would be 3 and 2"),
        ("einsum", [MATRIX], {"equation": "ij->ik"}, "must name each of its axes once"),
        ("einsum", [MATRIX], {"equation": "i1->i"}, "names axes by letters, and '1' is none"),
        ("det", [MATRIX], {}, "`det` takes a square matrix, not shape (2, 3)"),
        ("inv", [VECTOR], {}, "`inv` takes a square matrix, not shape (3,)"),
        ("inv", [SINGULAR], {}, "the matrix is singular: when rows are eliminated, element (1, 1)"),
        ("inv", [[[[1.0, 0.0], [0.0, 1.0]], SINGULAR]], {}, "matrix 1 of the batch is singular"),
        ("solve", [SINGULAR, [1.0, 2.0]], {}, "`solve` needs an invertible matrix"),
        ("solve", [SQUARE, [1.0, 2.0]], {}, "for shapes (3, 3) and (2,): B must have 3 rows"),
        ("matrix_power", [SINGULAR], {"n": -1}, "`matrix_power` needs an invertible matrix"),
        ("cholesky", [SINGULAR], {"upper": False}, "`cholesky` needs a positive-definite matrix"),
        ("trace", [VECTOR], {}, "`trace` takes a matrix, not shape (3,)"),
        ("diag", [CUBE], {"diagonal": 0}, "takes a vector or a matrix, not shape (2, 3, 4)"),
        ("diagonal", [VECTOR], {"offset": 0, "dim1": 0, "dim2": 1}, "`diagonal` needs two axes"),
        ("tril", [VECTOR], {"diagonal": 0}, "`tril` takes a matrix, not shape (3,)"),
    ],
)
def test_operands_that_do_not_fit_are_refused_in_words(name, operands, attributes, message):
    graph = Graph()
    leaves = tuple(
        graph.add_input(
            f"x{at}", one if isinstance(one, float) else np.array(one), requires_grad=False
        )
        for at, one in enumerate(operands)
    )
    with pytest.raises(OperandError) as caught:
        graph.apply(OPERATIONS[name], leaves, attributes)
    assert message in str(caught.value)


RANK_2 = [[1.0, 2.0, 3.0], [2.0, 4.0, 6.0], [1.0, 0.0, 1.0]]
RANK_1 = [[1.0, 2.0, 3.0], [2.0, 4.0, 6.0], [3.0, 6.0, 9.0]]


@pytest.mark.parametrize(
    ("matrix", "expected"),
    [
        ([[0.0]], [[1]]),
        (SINGULAR, [[4, -2], [-2, 1]]),
        ([[0.0, 1.0], [0.0, 0.0]], [[0, 0], [-1, 0]]),
        ([[0.0, 0.0], [0.0, 0.0]], [[0, 0], [0, 0]]),
        (RANK_2, [[4, 4, -4], [-2, -2, 2], [0, 0, 0]]),
        (RANK_1, np.zeros((3, 3))),
        ([RANK_1, RANK_2], [np.zeros((3, 3)), [[4, 4, -4], [-2, -2, 2], [0, 0, 0]]]),
        ([SINGULAR, [[1.0, 2.0], [3.0, 5.0]]], [[[4, -2], [-2, 1]], [[5, -3], [-2, 1]]]),
        ([[1e-200, 0.0], [0.0, 1e-200]], [[1e-200, 0], [0, 1e-200]]),
    ],
)
def test_the_derivative_of_a_determinant_is_the_cofactor_also_of_a_singular_matrix(
    matrix, expected
):
    sent = OPERATIONS["det"].send(0, np.ones(np.shape(matrix)[:-2]), None, [np.array(matrix)], {})
    np.testing.assert_allclose(sent, expected, rtol=1e-14, atol=1e-14)
    tensor = torch.tensor(matrix, dtype=torch.float64, requires_grad=True)
    determinant = torch.det(tensor)
    # With a graph of the gradient torch takes singular values, and else divides 0 by 0.
    (right,) = torch.autograd.grad(determinant.sum(), tensor, create_graph=True)
    np.testing.assert_allclose(sent, right.detach(), atol=1e-13)
    (usual,) = torch.autograd.grad(determinant.sum(), tensor)
    as_torch = OPERATIONS["det"].send(
        0, 1.0, determinant.detach().numpy(), [np.array(matrix)], {}, as_torch=True
    )
    np.testing.assert_allclose(as_torch, usual, atol=1e-13)


def test_the_logarithm_of_a_determinant_of_0_sends_infinity_and_in_torch_nan():
    matrix = np.array(SINGULAR)
    trace = record(parse_shorthand(Source("<-e>", "A=[[1,2],[2,4]], y=log(det(A))")))
    np.testing.assert_array_equal(trace.passes[-1].grads[0], np.inf * np.sign([[1, -1], [-1, 1]]))
    with np.errstate(all="ignore"):
        as_torch = OPERATIONS["det"].send(0, np.inf, 0.0, [matrix], {}, as_torch=True)
    tensor = torch.tensor(matrix, requires_grad=True)
    torch.log(torch.det(tensor)).backward()
    np.testing.assert_array_equal(as_torch, tensor.grad)
