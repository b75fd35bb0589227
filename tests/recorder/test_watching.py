"""Watches and conditions over a recording: names that come again, and norms of summaries."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from tests.recorder.programs import SCRIPTS, run_script

from backprop_engine.basics.source import ProblemError
from backprop_engine.reading.conditions import compile_condition, holds
from backprop_engine.reading.losses import losses_at
from backprop_engine.reading.watches import change_candidates, compile_watch, watched
from backprop_engine.recording.reader import read
from backprop_engine.recording.trace import trace_of
from backprop_engine.trace import PassKind, Trace
from backprop_recorder.recorder import Recorder


@pytest.fixture(scope="module", params=[64, 0], ids=["whole", "summed up"])
def trace(request, tmp_path_factory) -> Trace:
    path = tmp_path_factory.mktemp("recordings") / "mlp.bp"
    with Recorder(path, values=request.param):
        run_script(SCRIPTS["mlp"])
    return trace_of(read(path))


def by_pass(trace: Trace, text: str) -> list[Any]:
    formula = compile_watch(text, trace)
    ends = [pass_.stop for pass_ in trace.passes if pass_.kind is PassKind.BACKWARD]
    return [watched(formula, trace, end) for end in ends]


def test_a_name_without_a_version_is_what_it_means_at_the_moment(trace):
    losses = [trace.nodes.value[trace.named(f"loss@{count}")] for count in (1, 2, 3)]
    assert by_pass(trace, "loss") == losses
    assert watched(compile_watch("loss", trace), trace, 0) is None


@pytest.mark.parametrize("text", ["‖net.0.weight.grad‖", "norm(net.0.weight.grad)"])
def test_the_norm_of_a_gradient_is_known_by_iteration(trace, text):
    ends = [pass_.stop for pass_ in trace.passes if pass_.kind is PassKind.BACKWARD]
    grads = [trace.grad(trace.named(f"net.0.weight@{at}"), end) for at, end in enumerate(ends, 1)]
    norms = [grad.norm if hasattr(grad, "norm") else np.linalg.norm(grad) for grad in grads]
    assert by_pass(trace, text) == pytest.approx(norms)


def test_a_condition_on_a_norm_holds_where_it_is_reached(trace):
    found = by_pass(trace, "‖net.2.bias.grad‖")
    limit = max(norm for norm in found if norm is not None) * 0.99
    assert by_pass(trace, f"‖net.2.bias.grad‖ > {limit:.9f}").count(True) == 1
    condition = compile_condition(f"‖grad‖ > {limit:.9f}")
    node = trace.named("net.2.bias")
    (step,) = trace.receipts(node)
    assert holds(condition, trace, step, node) == (found[-1] > limit)


def test_a_watch_can_change_only_at_its_candidates(trace):
    formula = compile_watch("‖net.0.weight.grad‖ + loss", trace)
    candidates = set(change_candidates(formula, trace).tolist())
    before = None
    for cursor in range(len(trace) + 1):
        now = watched(formula, trace, cursor)
        assert now == before or cursor in candidates
        before = now


def test_an_unknown_path_is_refused_where_it_stands(trace):
    with pytest.raises(ProblemError):
        compile_watch("net.7.weight.grad", trace)


def test_the_losses_are_those_of_the_passes(trace):
    losses = losses_at(trace, 0)
    assert losses is not None
    assert losses.name == "loss"
    assert len(losses.values) == 3
    assert losses.at(losses.cursors[1]) == 1


def test_two_optimisers_have_a_line_of_losses_each(tmp_path):
    with Recorder(tmp_path / "run.bp"):
        run_script(SCRIPTS["gan"])
    trace = trace_of(read(tmp_path / "run.bp"))
    names = {losses_at(trace, pass_.start).name for pass_ in trace.passes if pass_.output}
    assert len(names) == 2


def test_a_scenario_of_one_pass_has_none(tmp_path):
    with Recorder(tmp_path / "run.bp"):
        torch.ones(2, requires_grad=True).sum().backward()
    assert losses_at(trace_of(read(tmp_path / "run.bp")), 0) is None
