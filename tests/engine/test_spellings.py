"""Calls as PyTorch code and numpy's habits spell them reach the right operation."""

from __future__ import annotations

import numpy as np
import pytest

from backprop_engine.basics.source import ScenarioError, Source
from backprop_engine.catalogue import FUNCTIONS, OPERATIONS
from backprop_engine.operation import Kind
from backprop_engine.run.record import record
from backprop_engine.run.tape import graph_of
from backprop_engine.scenarios.loader import parse_shorthand
from backprop_engine.trace import Trace


def trace_of(text: str) -> Trace:
    return record(parse_shorthand(Source("<-e>", text)))


X = np.array([[1.0, -2.0, 3.0], [4.0, 0.5, -6.0]])


@pytest.mark.parametrize(
    ("call", "name", "expected"),
    [
        ("x.sum(0)", "sum", X.sum(0)),
        ("torch.sum(x, axis=0, keepdims=True)", "sum", X.sum(0, keepdims=True)),
        ("x.sum([0, 1])", "sum", X.sum()),
        ("x.mean(dim=(0, 1), keepdim=True)", "mean", X.mean(keepdims=True)),
        ("x.prod(1)", "prod", X.prod(1)),
        ("x.var(unbiased=False)", "var", X.var()),
        ("x.var(False)", "var.unbiased", X.var()),
        ("x.var(0, False)", "var", X.var(0)),
        ("x.std(dim=1, correction=0)", "std", X.std(1)),
        ("torch.std(x, 1, keepdim=True)", "std", X.std(1, ddof=1, keepdims=True)),
        ("torch.max(x)", "max", 4.0),
        ("x.amax(-1)", "amax", X.max(-1)),
        ("x.norm()", "norm", np.linalg.norm(X)),
        ("x.norm(1)", "norm", np.abs(X).sum()),
        ("torch.norm(x, p=torch.inf)", "norm", 6.0),
        ("x.norm(dim=1)", "norm", np.linalg.norm(X, axis=1)),
        ("torch.norm(x, 'fro')", "norm.fro", np.linalg.norm(X)),
        ("torch.linalg.norm(x, ord=1, dim=0)", "linalg.norm", np.abs(X).sum(0)),
        ("torch.linalg.vector_norm(x, ord=2, dim=-1)", "vector_norm", np.linalg.norm(X, axis=-1)),
        ("x.cumsum(-1)", "cumsum", X.cumsum(-1)),
        ("torch.logsumexp(x, 1)", "logsumexp", np.log(np.exp(X).sum(1))),
        ("x.view(3, 2)", "view", X.reshape(3, 2)),
        ("x.view(-1)", "view", X.reshape(-1)),
        ("x.reshape((3, 2))", "reshape", X.reshape(3, 2)),
        ("torch.flatten(x, start_dim=0)", "flatten", X.reshape(-1)),
        ("x.permute(1, 0)", "permute", X.T),
        ("torch.permute(x, (1, 0))", "permute", X.T),
        ("x.swapaxes(0, 1)", "transpose", X.T),
        ("x.mT", "mT", X.T),
        ("torch.moveaxis(x, 0, 1)", "movedim", X.T),
        ("x.unsqueeze(0).squeeze(0)", "squeeze", X),
        ("x.expand(2, -1, -1)", "expand", np.broadcast_to(X, (2, 2, 3))),
        ("torch.broadcast_to(x, (2, 2, 3))", "expand", np.broadcast_to(X, (2, 2, 3))),
        ("x.repeat(1, 2)", "repeat", np.tile(X, (1, 2))),
        ("x.tile(2)", "tile", np.tile(X, 2)),
        ("x.flip(0, 1)", "flip", np.flip(X)),
        ("torch.flip(x, dims=[0])", "flip", np.flip(X, 0)),
        ("torch.roll(x, shifts=(1, 1), dims=(0, 1))", "roll", np.roll(X, (1, 1), (0, 1))),
        ("x.rot90(1, (0, 1))", "rot90", np.rot90(X)),
        ("F.pad(x, (1, 1), 'constant', 5)", "pad", np.pad(X, ((0, 0), (1, 1)), constant_values=5)),
        ("torch.cat([x, x])", "cat", np.concatenate([X, X])),
        ("torch.cat((x, x), dim=1)", "cat", np.concatenate([X, X], 1)),
        ("torch.concatenate([x, x], axis=-1)", "cat", np.concatenate([X, X], -1)),
        ("torch.stack((x, x), 2)", "stack", np.stack([X, X], 2)),
        ("x.select(1, -1)", "select", X[:, -1]),
        ("x.unfold(1, 2, 1)", "Tensor.unfold", np.stack([X[:, :2], X[:, 1:]], 1)),
        ("x.narrow(1, 0, 2)", "narrow", X[:, :2]),
        ("torch.outer(x[0], x[1])", "outer", np.outer(X[0], X[1])),
        ("torch.einsum('ij,kj->ik', x, x)", "einsum", X @ X.T),
        ("torch.einsum('ij,kj->ik', [x, x])", "einsum", X @ X.T),
        ("torch.addmm(x[:, 0], x, x.T, beta=2, alpha=0.5)", "addmm", 2 * X[:, 0] + 0.5 * X @ X.T),
        ("torch.mm(x, x.t())", "mm", X @ X.T),
        ("x.mv(x[0])", "mv", X @ X[0]),
        ("(x @ x.T).inverse()", "inv", np.linalg.inv(X @ X.T)),
        ("torch.linalg.inv(x @ x.T)", "inv", np.linalg.inv(X @ X.T)),
        ("torch.linalg.solve(x @ x.T, x)", "solve", np.linalg.solve(X @ X.T, X)),
        ("torch.det(x @ x.T)", "det", np.linalg.det(X @ X.T)),
        ("torch.tril(x, diagonal=-1)", "tril", np.tril(X, -1)),
        ("x.triu(1)", "triu", np.triu(X, 1)),
        ("x.diag(1)", "diag", np.diag(X, 1)),
        ("x.masked_fill(torch.tensor([True, False, True]), 0)", "masked_fill", X * [0, 1, 0]),
    ],
)
def test_a_call_as_it_is_written_finds_its_form(call, name, expected):
    text = f"x = torch.tensor({X.tolist()}, requires_grad=True)\nv = {call}\ny = v.sum()"
    trace = trace_of(text)
    assert OPERATIONS[name] in graph_of(trace).operation
    np.testing.assert_allclose(graph_of(trace).value[trace.assigned["v"]], expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("x.sum(dims=0)", "`sum` has no keyword `dims`; did you mean `dim`?"),
        ("x.sum(dim=0.5)", "`dim` of `sum` cannot be this"),
        ("x.amax(1, 2, 3, 4)", "`amax` takes at most 3 arguments"),
        ("x.sum(4)", "in range of [-2, 1], but got 4)"),
        ("F.pad(x, (1, 1), mode='reflekt')", "did you mean `reflect`?"),
        ("torch.cat([x, x[0]])", "`cat` cannot join shapes (2, 3) and (3,)"),
        ("torch.linalg.norm(x, 1)", "is a matrix norm, which is not supported"),
        ("torch.linalg.inv(x)", "`inv` takes a square matrix, not shape (2, 3)"),
        ("torch.linalg.inv(x.T @ x * 0)", "and the matrix is singular"),
        ("x.gather(1, torch.tensor([[7], [0]]))", "index 7 of `gather` is out of bounds for 3"),
        ("torch.einsum('ij,jk->ik', x, x)", "`j` would be 3 and 2"),
    ],
)
def test_a_call_that_does_not_fit_is_refused_in_words(call, message):
    with pytest.raises(ScenarioError) as caught:
        trace_of(f"x = torch.tensor({X.tolist()}, requires_grad=True)\ny = {call}")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("statement", "word"),
    [
        ("y = x.sum(dims=0)", "dims"),
        ("y = x + torch.ones(2, divice='cpu')", "divice"),
        ("y = nn.Softmax(axis=0)(x)", "axis"),
    ],
)
def test_an_unknown_keyword_is_underlined_itself(statement, word):
    with pytest.raises(ScenarioError) as caught:
        trace_of(f"x = torch.tensor([1., 2.], requires_grad=True)\n{statement}")
    *_, shown, carets = caught.value.render().split("\nexpected:")[0].splitlines()
    assert shown[carets.index("^") :][: carets.count("^")] == word


@pytest.mark.parametrize(
    "call", ["reshape(x, (4, 2))", "x.view(4, 2)", "x.view_as(w)", "x.reshape_as(w)"]
)
def test_a_shape_that_does_not_fit_is_told_with_the_name_that_was_written(call):
    with pytest.raises(ScenarioError) as caught:
        trace_of(f"x = torch.ones(3, 2, requires_grad=True)\nw = torch.ones(4, 2)\ny = {call}")
    name = call.removeprefix("x.").partition("(")[0]
    assert f"`{name}` cannot take shape (3, 2) to (4, 2)" in str(caught.value)


def test_a_number_written_out_is_an_attribute_before_it_is_a_value():
    for forms in FUNCTIONS.values():
        counts = [
            sum(parameter.kind is Kind.OPERAND for parameter in form.spelling.parameters)
            for form in forms
        ]
        assert counts == sorted(counts)
    names = [form.name for form in FUNCTIONS["masked_fill"]]
    assert names == ["masked_fill", "masked_fill.Tensor"]
