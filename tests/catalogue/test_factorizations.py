"""Determinants, inverses and solutions of ordinary matrices are no false alarm, wrong ones are."""

from __future__ import annotations

import random

import numpy as np
import pytest
from tests.catalogue.mutations import mutate, rerun
from tests.catalogue.test_mutations import asked, is_caught
from tests.thorough import share

from backprop_engine.basics.source import Source
from backprop_engine.catalogue import OPERATIONS
from backprop_engine.run.record import record
from backprop_engine.scenarios.loader import parse_document
from backprop_engine.trace import Trace
from backprop_tui.oracles.torch.agreement import agreement


def document(text: str) -> Trace:
    return record(parse_document(Source("test.yaml", text)))


EXPRESSIONS = (
    "det(A)",
    "(inv(A)*(A + 1)).sum()",
    "(torch.linalg.solve(A, b)*b).sum()",
    "slogdet(A).logabsdet",
    "torch.linalg.cholesky(A@A.T + 0.1*torch.eye(n)).sum()",
)
TOLD = [[[1, 2, 3], [4, 0, 0], [5, 7, 0]], [[1, 2, 3], [0, 1, 4], [5, 6, 0]]]


def matrices(count: int) -> list[list[list[int]]]:
    """Whole numbers, up to two thirds of them 0, and none singular."""
    drawn = random.Random(9)
    found: list[list[list[int]]] = []
    while len(found) < count:
        size, zeros = drawn.choice([2, 3, 3, 4, 5]), drawn.uniform(0, 0.7)
        matrix = [
            [0 if drawn.random() < zeros else drawn.randint(-9, 9) for _ in range(size)]
            for _ in range(size)
        ]
        if abs(np.linalg.det(np.array(matrix, float))) > 0.5:
            found.append(matrix)
    return found


@pytest.mark.parametrize("expression", EXPRESSIONS)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_ordinary_matrices_with_zeros_are_no_alarm(expression, dtype):
    for matrix in TOLD + matrices(share(6, 20)):
        compute = expression.replace("eye(n)", f"eye({len(matrix)})")
        trace = document(
            f"dtype: {dtype}\ninputs: {{A: {matrix}, b: {[*range(1, len(matrix) + 1)]}}}\n"
            f"compute: |\n  y = {compute}\n"
        )
        agreed = agreement(trace, asked(trace))
        assert not agreed.faulty_nodes, matrix
        assert not is_caught(agreed), matrix


@pytest.mark.parametrize("name", ["det", "inv"])
@pytest.mark.parametrize("factor", [1 + 1e-9, 1 - 1e-12])
def test_a_rule_that_is_off_by_little_is_caught_beside_zeros(name, factor):
    trace = document(
        f"inputs: {{A: [[1, 2, 3], [4, 0, 0], [5, 7, 0]]}}\ncompute: |\n  y = ({name}(A)*2).sum()\n"
    )
    wrong = mutate(OPERATIONS[name], 0, lambda sent, *_: sent * factor)
    assert is_caught(agreement(rerun(trace, name, wrong), asked(trace)))
