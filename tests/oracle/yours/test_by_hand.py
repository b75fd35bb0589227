"""Layers and answers of one's own: each gradient judged given the learner's own above it."""

from __future__ import annotations

import pytest
from tests.oracle.yours.conftest import Examine

from backprop_engine.basics.source import Source
from backprop_engine.run.record import record
from backprop_engine.scenarios.loader import parse_document
from backprop_engine.trace import Trace

LAYERS = """
import numpy as np

def affine_forward(x, w, b):
    out = x.reshape(x.shape[0], -1) @ w + b
    return out, (x, w, b)

def affine_backward(dout, cache):
    x, w, b = cache
    dx = (dout @ w.T).reshape(x.shape)
    dw = x.reshape(x.shape[0], -1).T @ dout
    db = dout.sum(axis=0)
    return dx, dw, db

def relu_forward(x):
    return np.maximum(x, 0), x

def relu_backward(dout, cache):
    return dout * (cache > 0)

def batchnorm_forward(x, gamma, beta, bn_param):
    mean, var = x.mean(axis=0), x.var(axis=0)
    normal = (x - mean) / np.sqrt(var + bn_param.get("eps", 1e-5))
    return gamma * normal + beta, (normal, gamma, var)

def batchnorm_backward(dout, cache):
    normal, gamma, var = cache
    g = dout * gamma
    dx = (g - g.mean(axis=0) - normal * (g * normal).mean(axis=0)) / np.sqrt(var + 1e-5)
    return dx, (dout * normal).sum(axis=0), dout.sum(axis=0)

def softmax_loss(x, y):
    p = np.exp(x - x.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    loss = -np.log(p[np.arange(len(y)), y]).mean()
    dx = p.copy()
    dx[np.arange(len(y)), y] -= 1
    dx /= len(y)
    return loss, dx

def mse_loss(x, y):
    return ((x - y) ** 2).sum() / 2, x - y
"""

ROWS_ALONE = """
import numpy as np
def affine_forward(x, w, b):
    return x @ w + b, (x, w, b)

def affine_backward(dout, cache):
    x, w, b = cache
    dx, dw = dout @ w.T, x.T @ dout
    db = dout.sum(axis=0)
    return dx, dw, db
"""
SCENARIO = """
inputs:
  x: [[0.3, -1.2], [0.5, 0.7], [1.1, -0.4]]
  W: [[0.5, 0.1, -0.3], [0.2, -0.7, 0.9]]
  b: [0.1, 0.2, 0.3]
compute: |
  z = x @ W + b
  h = torch.tanh(z)
  loss = ((h - 0.5)**2 * h).sum()
"""
ANSWERS = """
dh = (2 * (h - 0.5) * h + (h - 0.5)**2) * dloss
dz = dh * (1 - h**2)
dW = x.T @ dz
db = dz.sum(axis=0)
dx = dz @ W.T
"""


def trace() -> Trace:
    return record(parse_document(Source("<scenario>", SCENARIO)))


def line_of(text: str, source: str) -> int:
    assert source.count(text) == 1
    return source[: source.index(text)].count("\n") + 1


def test_layers_that_are_right_are_right_and_a_loss_may_be_another_one(examined: Examine):
    found = examined(LAYERS)
    assert found.is_right
    assert found.programs == 5
    assert all(found.judged.values())
    assert "mse_loss is another than the usual one" in found.remarks[0]


@pytest.mark.parametrize(
    ("old", "new", "kind", "line"),
    [
        ("", "", None, None),
        ("dout.sum(axis=0)", "dout.mean(axis=0)", "rule", 9),
        ("return dx, dw, db", "return dx, dw, db_", "rule", 10),
        ("return x @ w + b, (x, w, b)", "return x @ w + b_, (x, w, b)", "rule", 4),
    ],
)
def test_an_affine_layer_may_take_rows_alone(
    old: str, new: str, kind: str | None, line: int | None, examined: Examine
):
    found = examined(ROWS_ALONE.replace(old, new))
    told = None if found.verdict is None else (str(found.verdict.kind), found.verdict.line)
    assert told == (None if kind is None else (kind, line))
    if kind is None:
        assert found.remarks == ("affine takes no x of three axes, and is examined with two.",)
        assert found.judged == dict.fromkeys(("affine dx", "affine dw", "affine db"), True)


@pytest.mark.parametrize(
    ("old", "new", "kind", "why"),
    [
        ("db = dout.sum(axis=0)", "db = dout.mean(axis=0)", "rule", "averaged over copies"),
        ("db = dout.sum(axis=0)", "db = dout", "shape", "not summed over copies"),
        ("dw = x.reshape(x.shape[0], -1).T @ dout", "dw = dout.T @ x.reshape(4, -1)", "shape", ""),
        ("dout * (cache > 0)", "dout", "rule", "mask forgotten"),
        ("    dx /= len(y)\n", "", "rule", "1/n"),
        ("np.maximum(x, 0)", "np.maximum(x, 1)", "forward", ""),
        (" - normal * (g * normal).mean(axis=0)", "", "rule", ""),
        ("return dx, dw, db", "return dx, dw", "sends nothing", "no db"),
        ("g = dout * gamma", "g = dout * gamma_", "rule", "NameError"),
        ("x - y\n", "y - x\n", "rule", "by differences"),
    ],
)
def test_a_wrong_layer_is_told_with_the_line_that_gives_the_gradient(
    old: str, new: str, kind: str, why: str, examined: Examine
):
    assert LAYERS.count(old) == 1
    source = LAYERS.replace(old, new)
    found = examined(source)
    assert found.verdict is not None
    assert found.verdict.kind == kind
    assert why in found.verdict.message
    assert found.verdict.line is not None
    if new.startswith("db"):
        assert found.verdict.line == line_of(new, source)


def test_a_layer_may_be_held_against_a_scenario_of_ones_own(examined: Examine):
    source = """
def mine_forward(x, W, b):
    h = np.tanh(x @ W + b)
    return ((h - 0.5)**2 * h).sum(), (x, W, h)

def mine_backward(dout, cache):
    x, W, h = cache
    dz = dout * (2 * (h - 0.5) * h + (h - 0.5)**2) * (1 - h**2)
    return dz @ W.T, x.T @ dz, dz.sum(axis=0)
"""
    assert examined(f"import numpy as np\n{source}", trace()).is_right
    found = examined("import numpy as np\n" + source.replace("x.T @ dz", "x.T @ h"), trace())
    assert found.verdict is not None
    assert found.judged == {"mine dx": True, "mine dW": False, "mine db": True}


def test_answers_that_are_right_are_right(examined: Examine):
    found = examined(ANSWERS, trace())
    assert found.is_right
    assert list(found.judged) == ["dh", "dz", "db", "dW", "dx"]


@pytest.mark.parametrize(
    ("old", "new", "kind", "why"),
    [
        ("(1 - h**2)", "(1 - h)", "rule", "factor forgotten"),
        ("x.T @ dz", "dz.T @ x", "shape", "transposed"),
        ("db = dz.sum(axis=0)", "db = dz\n", "shape", "not summed over copies"),
        ("(2 * (h - 0.5) * h + (h - 0.5)**2)", "(2 * (h - 0.5) * h)", "rule", "only one path"),
        ("dz @ W.T", "-dz @ W.T", "rule", "sign"),
    ],
)
def test_a_wrong_answer_alone_is_blamed_and_what_follows_from_it_is_right(
    old: str, new: str, kind: str, why: str, examined: Examine
):
    source = ANSWERS.replace(old, new)
    found = examined(source, trace())
    assert found.verdict is not None
    assert (found.verdict.kind, found.verdict.line) == (kind, line_of(new, source))
    assert why in found.verdict.message
    assert list(found.judged.values()).count(False) == 1


def test_a_file_that_stops_is_judged_as_far_as_it_has_come(examined: Examine):
    found = examined(ANSWERS.replace("db =", "1/0; db ="), trace())
    assert found.judged == {"dh": True, "dz": True, "dW": True}
    assert "ZeroDivisionError" in found.trouble
    assert found.line == 5


def test_answers_without_a_scenario_are_told_to_name_one(examined: Examine):
    assert "are for a scenario" in examined(ANSWERS).trouble
