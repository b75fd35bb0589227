"""Of equal elements torch and we may pick others: both are right, and a wrong rule is not."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.catalogue.mutations import mutate, rerun
from tests.catalogue.test_mutations import asked, is_caught

from backprop_engine.basics.source import Source
from backprop_engine.catalogue import OPERATIONS
from backprop_engine.checking.differences import finite_differences
from backprop_engine.checking.richardson import KINK, TIE
from backprop_engine.run.record import record
from backprop_engine.scenarios.loader import parse_shorthand
from backprop_engine.trace import Trace
from backprop_tui.oracles.torch.agreement import agreement


def shorthand(text: str) -> Trace:
    return record(parse_shorthand(Source("<-e>", text)))


TIED = [
    "x=[2,1,2,2], y=(x.topk(2).values*[1,2]).sum()",
    "x=[2,1,2,2], y=(x.topk(3, largest=False).values*[1,2,3]).sum()",
    "x=[2,2,1,2,2,2,2,1,1,2,2,1,2,2,2,1,1,2,2,2], y=(x.sort().values*x).sum()",
    "x=[[2,1,2],[1,1,2]], y=(x.topk(2, dim=0).values*[[1,2,3],[4,5,6]]).sum()",
    "x=[3,1,3,3,1], y=x.kthvalue(4).values",
    "x=[3,1,3,3,1], y=(x.median(dim=0).values)*x.sum()",
    "x=[[3,3,1],[1,1,1]], m=x.median(dim=1).values, y=(m*[1,2]).sum()",
    "x=[2,1,2,2], t=x.topk(2), y=(x[t.indices]*[1,2]).sum() + t.values.sum()",
]


@pytest.mark.parametrize("text", TIED)
def test_others_of_equal_elements_are_no_fault(text):
    trace = shorthand(text)
    agreed = agreement(trace, asked(trace))
    assert not agreed.faulty_nodes
    assert not is_caught(agreed)
    (found,) = finite_differences(trace).values()
    assert found.agrees


def test_the_tie_is_told_where_torch_picks_others():
    trace = shorthand("x=[2,1,2,2], y=(x.topk(2).values*[1,2]).sum()")
    x = torch.tensor([2.0, 1.0, 2.0, 2.0], requires_grad=True)
    (torch.topk(x, 2).values * torch.tensor([1.0, 2.0])).sum().backward()
    agreed = agreement(trace, asked(trace))
    (grad,) = (trace.passes[-1].grads or {}).values()
    assert x.grad is not None
    is_other = not np.array_equal(np.asarray(grad), x.grad.numpy())
    assert is_other == any("tie" in words for words in agreed.departures.values())


@pytest.mark.parametrize("name", ["topk", "sort", "kthvalue"])
@pytest.mark.parametrize("change", ["twice", "to another element", "to one element"])
def test_a_wrong_rule_at_a_tie_is_caught(name, change):
    text = {
        "topk": "x=[2,1,2,2], y=(x.topk(2).values*[1,2]).sum()",
        "sort": "x=[2,1,2,2], y=(x.sort().values*[1,2,3,4]).sum()",
        "kthvalue": "x=[2,1,2,2], y=x.kthvalue(3).values",
    }[name]

    def wrong(sent, *_):
        if change == "twice":
            return sent * 2
        if change == "to another element":
            return np.where(np.arange(4) == 1, sent.sum() + 1, 0.0)
        return np.where(np.arange(4) == 0, sent.sum() + (name == "kthvalue"), 0.0)

    trace = shorthand(text)
    mutated = rerun(trace, name, mutate(OPERATIONS[name], 0, wrong))
    assert is_caught(agreement(mutated, asked(trace)))


@pytest.mark.parametrize(
    ("text", "skipped"),
    [
        ("x=[1,2,2,3,2], y=x.median()", 3),
        ("x=[2,2,2], y=x.max()+x.min()", 3),
        ("x=[2,2,2], y=x.amax()+x.amin()", 3),
        ("x=[2,2,2], y=x.sort().values[1]", 1),
        ("x=[2,2,2,1], y=(x - x.max()).exp().sum().log() + x.max()", 0),
    ],
)
def test_finite_differences_know_a_tie(text, skipped):
    (found,) = finite_differences(shorthand(text)).values()
    assert found.agrees
    assert found.skipped >= skipped
    assert found.reason in (TIE, KINK, "")


@pytest.mark.parametrize(
    "text",
    [
        "A=[[4,1],[1,3]], y=(torch.linalg.cholesky(A)*[[1,2],[3,4]]).sum()",
        "A=[[4,1],[1,3]], y=(cholesky(A, upper=True)*[[1,2],[3,4]]).sum()",
        (
            "W=torch.tensor([[1., 2.], [3., 4.]], requires_grad=True), "
            "e=F.embedding(torch.tensor([0,0,1]), W, padding_idx=0), y=(e**2).sum()"
        ),
    ],
)
def test_finite_differences_know_what_torch_documents(text):
    trace = shorthand(text)
    (found,) = finite_differences(trace).values()
    (grad,) = (trace.passes[-1].grads or {}).values()
    assert (found.agrees, found.skipped) == (True, 0)
    np.testing.assert_allclose(found.gradient, grad, rtol=1e-8, atol=1e-12)
