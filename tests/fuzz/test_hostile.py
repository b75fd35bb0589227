"""No operation, and none of its derivatives, raises anything but words for people."""

from __future__ import annotations

import pytest
from tests.fuzz.hostile import faults
from tests.thorough import share

from backprop_engine.basics.source import ScenarioError, Source
from backprop_engine.catalogue import GROUPS
from backprop_engine.catalogue.shared.entries import operation
from backprop_engine.operation import Derivative
from backprop_engine.run.record import record
from backprop_engine.scenarios.loader import parse_shorthand

COUNT = share(usual=4, thorough=12)
"""Applications of each operation: a second or two for all of them."""


@pytest.mark.parametrize("title", GROUPS)
def test_operations_take_hostile_operands_and_attributes_or_refuse_them(title):
    found = [fault for one in GROUPS[title] for fault in faults(one.name, COUNT, seed=1)]
    assert not found, "\n".join(map(str, found))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x=[1, 2], y=x.repeat(-1)", "nothing can be repeated -1 times"),
        ("x=[-1, 2], y=celu(x, alpha=0)", "`alpha` of `celu` cannot be 0"),
        ("x=[1, 2], m=x > 1, y=x*(m - m)", "`-` is not defined for bool and bool"),
        ("x=[1, 2], m=x > 1, y=x*(m**m)", "`**` is not defined for bool and bool"),
        ("x=[1, 2], m=x > 1, y=x*(m % m)", "`%` is not defined for bool and bool"),
        (
            "W=[[1, 2]], y=F.embedding(torch.tensor([0]), W, padding_idx=3)",
            "`padding_idx` of `embedding` is 3, and there are 1 rows",
        ),
        (
            "p=[0.5], y=F.binary_cross_entropy(p, [1], torch.tensor([1., 2.]))",
            "`binary_cross_entropy` takes a weight that can be broadcast to shape (1,)",
        ),
        ("x=[1, 2], y=F.kl_div(x, torch.tensor([1, 0]))", "`kl_div` takes floating-point numbers"),
    ],
)
def test_what_the_search_has_found_is_refused_in_words(text, message):
    with pytest.raises(ScenarioError) as caught:
        record(parse_shorthand(Source("<-e>", text)))
    assert message in str(caught.value)


def test_a_derivative_that_fails_all_the_same_is_told_at_its_operation(monkeypatch):
    def rule(g, y, a):
        raise ValueError("the matrix is odd")

    odd = operation("exp", lambda a: a, Derivative(rule))
    monkeypatch.setattr("backprop_engine.program.resolving.FUNCTIONS", {"exp": (odd,)})
    with pytest.raises(ScenarioError) as caught:
        record(parse_shorthand(Source("<-e>", "x=[1, 2], h=exp(x), y=h*h, y.backward(x)")))
    assert caught.value.render().startswith(
        "<-e>:1:13: the derivative of `exp` by `x` cannot be computed here: the matrix is odd; "
        "give it other values, or `.detach()` the operand\n"
    )
