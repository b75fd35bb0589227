"""The usual layers as scenarios, by what their functions are called.

`affine_forward` and `affine_backward(dout, cache)` are held against the scenario of `affine`. The
sizes of its arguments differ, so that a mistake in an axis shows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np

from backprop_engine.basics.source import ScenarioError, Source
from backprop_engine.basics.values import Value, in_full, shape_of
from backprop_engine.catalogue import OPERATIONS
from backprop_engine.run.record import record
from backprop_engine.scenarios.loader import parse_document
from backprop_engine.trace import Trace
from backprop_tui.oracles.yours.own_upstream import last_pass

_CLASSES: Final = [2, 0, 1, 1]
_BATCH: Final = "m = x.mean(dim=0); v = ((x - m)**2).mean(dim=0); "
_ROWS: Final = "m = x.mean(dim=1, keepdim=True); v = ((x - m)**2).mean(dim=1, keepdim=True); "
_NORMAL: Final = "out = gamma*((x - m)/sqrt(v + 1e-5)) + beta"


class _Layer(NamedTuple):
    text: str
    """Statements; the last one is the output."""
    arguments: Mapping[str, tuple[int, ...] | list[int]]
    """In order, shapes; classes where it is a list."""
    is_open: bool = False
    """Whether the name means other things elsewhere: a sum for a mean, another epsilon."""


_AFFINE = _Layer("out = x.reshape(4, 6) @ w + b", {"x": (4, 2, 3), "w": (6, 5), "b": (5,)})
_LINEAR = _Layer("out = x @ w + b", {"x": (4, 6), "w": (6, 5), "b": (5,)}, is_open=True)
_NORMED = {"x": (4, 3), "gamma": (3,), "beta": (3,)}
_SCORES: Final[Mapping[str, tuple[int, ...] | list[int]]] = {"x": (4, 3), "y": _CLASSES}
_STEP = {"x": (4, 3), "prev_h": (4, 5), "Wx": (3, 5), "Wh": (5, 5), "b": (5,)}
_FLAT: Final[Mapping[str, _Layer]] = {
    "affine": _LINEAR,
    "affine_relu": _Layer("h = x @ w + b; out = relu(h)", _LINEAR.arguments),
}
"""Those that take an x of more than two axes in some courses, with two."""
LAYERS: Final[Mapping[str, _Layer]] = {
    "affine": _AFFINE,
    **dict.fromkeys(("linear", "dense", "fc", "fully_connected"), _LINEAR),
    "matmul": _Layer("out = x @ w", {"x": (4, 6), "w": (6, 5)}),
    "add": _Layer("out = x + y", {"x": (4, 3), "y": (4, 3)}),
    "mul": _Layer("out = x * y", {"x": (4, 3), "y": (4, 3)}),
    "affine_relu": _Layer(f"h = {_AFFINE.text[6:]}; out = relu(h)", _AFFINE.arguments),
    "softmax": _Layer("out = softmax(x, dim=1)", {"x": (4, 3)}),
    **dict.fromkeys(
        ("batchnorm", "batch_norm", "batchnorm_alt"),
        _Layer(_BATCH + _NORMAL, _NORMED, is_open=True),
    ),
    **dict.fromkeys(("layernorm", "layer_norm"), _Layer(_ROWS + _NORMAL, _NORMED, is_open=True)),
    "rnn_step": _Layer("out = tanh(x @ Wx + prev_h @ Wh + b)", _STEP, is_open=True),
    **dict.fromkeys(
        ("softmax_loss", "cross_entropy_loss", "softmax_cross_entropy_loss"),
        _Layer("out = cross_entropy(x, y)", _SCORES, is_open=True),
    ),
    "mse_loss": _Layer("out = mse_loss(x, y)", {"x": (4, 3), "y": (4, 3)}, is_open=True),
}


class Case(NamedTuple):
    """A layer with arguments, and the trace that has the truth."""

    trace: Trace
    arguments: tuple[Value, ...]
    dout: Value | None
    """None for a loss, which starts at 1."""
    inputs: tuple[int, ...]
    """The nodes of those arguments that have a gradient, in order."""
    is_open: bool = False


def flat_case_of(name: str) -> Case | None:
    """The layer of that name with an x of two axes; None where the usual one is that."""
    layer = _FLAT.get(name)
    return None if layer is None else _case_of(name, layer)


def case_of(name: str) -> Case | None:
    """The usual layer of that name; None where there is none."""
    layer = LAYERS.get(name)
    operation = OPERATIONS.get(name)
    is_unary = operation is not None and operation.elementwise and len(operation.derivatives) == 1
    if layer is None and is_unary:
        layer = _Layer(f"out = {name}(x)", {"x": (4, 3)})
    return None if layer is None else _case_of(name, layer)


def _case_of(name: str, layer: _Layer) -> Case | None:
    rng = np.random.default_rng(0)
    values = {
        argument: given if isinstance(given, list) else np.round(rng.normal(size=given), 2)
        for argument, given in layer.arguments.items()
    }
    is_loss = name.endswith("_loss")
    seed = None
    try:
        if not is_loss:
            output = _recorded(layer, values, "out.sum()")
            node = output.named("out")
            seed = np.round(rng.normal(size=shape_of(output.nodes.value[node or 0])), 2)
        trace = _recorded(layer, values, seed)
    except ScenarioError:
        return None  # an operation that takes more than the elements
    return _case(trace, list(values), seed)._replace(is_open=layer.is_open)


def case_of_scenario(trace: Trace, parameters: list[str]) -> Case | None:
    """A layer whose arguments are inputs of a scenario; None where it has none of that name."""
    if not set(parameters) <= set(trace.nodes.inputs):
        return None
    return _case(trace, parameters, in_full(trace.contribution(last_pass(trace).start)))


def _case(trace: Trace, names: list[str], dout: Value | None) -> Case:
    nodes = [trace.nodes.inputs[name] for name in names]
    arguments = tuple(in_full(trace.nodes.value[node]) for node in nodes)
    wanted = tuple(node for node in nodes if trace.nodes.requires_grad[node])
    return Case(trace, arguments, dout, wanted)


def _recorded(layer: _Layer, values: Mapping[str, object], seed: object) -> Trace:
    lines = ["inputs:"]
    for name, value in values.items():
        is_class = isinstance(value, list)
        told = value if is_class else np.asarray(value).tolist()
        lines.append(f"  {name}: {{value: {told}{', dtype: int64' if is_class else ''}}}")
    lines += ["compute: |", *(f"  {line}" for line in layer.text.split("; "))]
    if isinstance(seed, str):
        lines += [f"  total = {seed}", "backward: total"]
    elif seed is None:
        lines.append("backward: out")
    else:
        lines.append(f"backward: {{of: out, gradient: {np.asarray(seed).tolist()}}}")
    return record(parse_document(Source("<layer>", "\n".join(lines) + "\n")))
