"""Whether a run in float64 would stay finite in float32."""

from __future__ import annotations

import pytest
import torch

from backprop_engine.basics.source import Source
from backprop_engine.checking import narrow
from backprop_engine.checking.narrow import not_finite_in_float32
from backprop_engine.run.record import record
from backprop_engine.scenarios.loader import parse_document, parse_shorthand
from backprop_engine.trace import Trace


def shorthand(text: str) -> Trace:
    return record(parse_shorthand(Source("<-e>", text)))


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("x=2, y=x**2", None),
        ("x=1e39, y=x*1e-30", "x"),
        ("x=[80, -60, 20], p=softmax(x, 0), y=log(p).sum()", "y"),
        ("a=100, b=where(a<=0, exp(a), 1+a)", "a.grad"),
        ("x=1e-25, y=x*x, z=1e-30/y", "z"),
        ("x=30, h=x*1e30, y=h*1e-30, z=exp(y)*exp(y)*exp(y)", "z"),
        ("x=0, y=1/x", None),  # nor is it finite in float64
        ("x=2, y=x*(1e40/1e38)", None),  # numbers of Python's
        ("x=2, i=(x > 1), y=x*i", None),
    ],
)
def test_the_first_name_that_would_not_be_finite_is_named(text: str, name: str | None):
    assert not_finite_in_float32(shorthand(text)) == name


def test_torch_in_float32_says_the_same():
    x = torch.tensor([80.0, -60.0, 20.0])
    assert not torch.log(torch.softmax(x, 0)).isfinite().all()
    a = torch.tensor(100.0, requires_grad=True)
    b = torch.where(a <= 0, torch.exp(a), 1 + a)
    b.backward()
    assert b.isfinite()
    assert a.grad is not None
    assert a.grad.isnan()


def test_grads_add_up_over_passes_and_are_cleared_as_they_were():
    text = "inputs: {{x: 1}}\ncompute: y = x*2.0e38\nbackward: [{passes}]\n"
    for passes, name in (("y, y", "x.grad"), ("y, zero_grad, y", None)):
        trace = record(parse_document(Source("s.yaml", text.format(passes=passes))))
        assert not_finite_in_float32(trace) == name


def test_a_run_that_is_narrow_already_or_cannot_be_redone_has_none(monkeypatch: pytest.MonkeyPatch):
    single = "dtype: float32\ninputs: {x: 1.0e30}\ncompute: y = x*x\n"
    assert not_finite_in_float32(record(parse_document(Source("s.yaml", single)))) is None
    odd = "x=1.00000009, y=F.binary_cross_entropy((x - 1)*1e7, 1.0)"
    assert not_finite_in_float32(shorthand(odd)) is None
    overflowing = shorthand("x=1e39, y=x*2")
    assert not_finite_in_float32(overflowing) == "x"
    monkeypatch.setattr(narrow, "SECONDS", -1.0)
    assert not_finite_in_float32(overflowing) is None
