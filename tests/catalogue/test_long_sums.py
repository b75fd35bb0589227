"""Sums of many terms: another order is no alarm, and a term that is left out is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.catalogue.mutations import mutate, rerun
from tests.catalogue.test_mutations import asked, is_caught

from backprop_engine.basics.source import Source
from backprop_engine.catalogue import OPERATIONS
from backprop_engine.run.record import record
from backprop_engine.scenarios.loader import parse_document
from backprop_engine.trace import Trace
from backprop_tui.oracles.torch.agreement import agreement

EQUAL = "{full: [4000, 1], fill: 0.1}"
DRAWN = "{normal: [4000, 1], seed: 1}"
THIRDS = "{full: [4000, 1], fill: 0.00008331250520703157}"
EXPRESSIONS = (
    "(x@W - 0.5).pow(2).sum()",
    "(x.T@x)**2",
    "((x + W)**3).mean()",
    "(x.mean(0)*x.sum(0)).sum()",
    "torch.einsum('ij,ik->jk', x, x*x)*W",
    "(F.conv1d(x.T.reshape(1, 1, 4000), x[:2000].T.reshape(1, 1, 2000))**2).mean()",
    "x.norm()*x.var()*x.std()",
    "(torch.softmax(x, 0)*x).sum() + torch.logsumexp(x, 0).sum()",
    "F.mse_loss(x, 0*x) + (F.layer_norm(x.T, [4000])*x.T).sum()",
    "(F.avg_pool1d(x.T.reshape(1, 1, 4000), 500, 7)**2).sum()",
    "F.cosine_similarity(x, x**2, dim=0).sum()",
)


def document(x: str, expression: str, dtype: str) -> Trace:
    text = f"dtype: {dtype}\ninputs: {{x: {x}, W: [[2]]}}\ncompute: |\n  y = ({expression}).sum()\n"
    return record(parse_document(Source("test.yaml", text)))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("x", [EQUAL, DRAWN, THIRDS])
@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_another_order_is_no_alarm(x, expression, dtype):
    trace = document(x, expression, dtype)
    agreed = agreement(trace, asked(trace))
    assert not agreed.faulty_nodes
    assert not is_caught(agreed)


def _without_a_term(sent: Any, _operation: Any, position: int, given: Any, _: Any) -> Any:
    """The product of the factor and the upstream gradient, but for their last row."""
    return given[2].T[:, :-1] @ given[0][:-1] if position == 1 else sent


@pytest.mark.parametrize("x", [EQUAL, DRAWN])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_term_that_is_left_out_of_4000_is_caught(x, dtype):
    trace = document(x, "(x@W).sum()", dtype)
    wrong = mutate(OPERATIONS["matmul"], 1, _without_a_term)
    assert is_caught(agreement(rerun(trace, "matmul", wrong), asked(trace)))


def _last_copy_left_out(sent: Any, _operation: Any, position: int, given: Any, _: Any) -> Any:
    return np.where(np.arange(len(sent))[:, np.newaxis] < 3999, sent, 0.0).astype(sent.dtype)


@pytest.mark.parametrize("x", [EQUAL, DRAWN])
def test_a_copy_that_is_left_out_of_4000_is_caught(x):
    trace = document(x, "((x + W)**2).sum()", "float64")
    wrong = mutate(OPERATIONS["add"], 1, _last_copy_left_out)
    assert is_caught(agreement(rerun(trace, "add", wrong), asked(trace)))


@pytest.mark.parametrize("x", [EQUAL, DRAWN])
@pytest.mark.parametrize("factor", [1 + 1e-6, 1 - 1e-9])
def test_a_factor_that_is_off_by_little_is_caught(x, factor):
    trace = document(x, "(x@W - 0.5).pow(2)", "float64")
    wrong = mutate(OPERATIONS["matmul"], 1, lambda sent, *_: sent * factor)
    assert is_caught(agreement(rerun(trace, "matmul", wrong), asked(trace)))
