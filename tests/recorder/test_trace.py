"""A recording as a trace: names, places, modules, iterations, sums, and what it can do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.recorder.chains import write_chain
from tests.recorder.programs import SCRIPTS, run_script

from backprop_engine.basics.summary import Summary
from backprop_engine.mathematics.text import text_of
from backprop_engine.reading.explain import explain
from backprop_engine.recording.findings import culprit
from backprop_engine.recording.opened import open_recording
from backprop_engine.recording.reader import read
from backprop_engine.recording.trace import trace_of
from backprop_engine.trace import Missing, PassKind, StepKind, Trace
from backprop_engine.trace.abilities import Explains, Opens, Quotes, Recomputes, Reruns
from backprop_recorder.recorder import Recorder


@pytest.fixture(scope="module")
def recorded(tmp_path_factory) -> Any:
    """The trace of one of the programs."""
    folder = tmp_path_factory.mktemp("recordings")
    traces: dict[tuple[Any, ...], Trace] = {}

    def trace(name: str, **options: Any) -> Trace:
        key = (name, *options.items())
        if key not in traces:
            path = Path(folder, f"{len(traces)}.bp")
            with Recorder(path, script=str(SCRIPTS[name]), **options):
                run_script(SCRIPTS[name])
            traces[key] = trace_of(read(path))
        return traces[key]

    return trace


def node_of(trace: Trace, name: str) -> int:
    node = trace.named(name)
    assert node is not None, sorted(trace.names)
    return node


def test_nodes_are_called_as_in_the_program_and_as_torch_calls_parameters(recorded):
    names = set(recorded("mlp").names)
    assert {"x@1", "x@3", "net.0.weight@1", "net.2.bias@3", "h@2", "loss@3", "t@1"} <= names
    assert "unused.weight" not in names


def test_a_node_knows_its_part_of_the_line_its_iteration_and_its_module(recorded):
    trace = recorded("mlp")
    h, loss = node_of(trace, "h@2"), node_of(trace, "loss@2")
    assert trace.nodes.place(h).text == "self.net(x)"
    assert trace.nodes.place(h).source.text == SCRIPTS["mlp"].read_text()
    assert trace.nodes.place(loss).text == "nn.functional.nll_loss(net(x).log(), t)"
    assert [group.name for group in trace.nodes.groups(h)] == ["#2", "Net.net.2"]
    assert trace.nodes.grad_fn(h) == "AddmmBackward0"
    assert trace.nodes.operation_name(h) == "linear"


def test_forward_clearing_backward_and_steps_follow_each_other(recorded):
    trace = recorded("mlp")
    assert [pass_.name for pass_ in trace.passes[:6]] == [
        "forward", "zero_grad", "backward loss@1", "clip_norm", "SGD.step", "forward",
    ]  # fmt: skip
    update = trace.passes[4]
    assert update.kind is PassKind.UPDATE
    assert trace.step(update.start).kind is StepKind.UPDATE
    told = explain(trace, update.start)
    assert told.headline == "SGD step 1, lr 0.1"
    assert told.notes[0] == "4 of 4 gradients were changed since their backward pass"
    assert told.notes[1].startswith("net.0.weight: |grad| ")


def test_the_gradient_of_a_parameter_is_what_torch_has_in_grad(recorded, tmp_path):
    ran = run_script(SCRIPTS["accumulation"])
    trace = recorded("accumulation")
    np.testing.assert_array_equal(
        trace.grad(node_of(trace, "x"), len(trace)), ran.tensors["x.grad"]
    )


def test_contributions_add_up_and_running_sums_are_put_together(recorded):
    trace = recorded("scalars")
    node = node_of(trace, "loss@21")
    (seed,) = trace.receipts(node)
    assert trace.contribution(seed) == 1.0
    weight = max(
        (at for at in range(len(trace.nodes)) if trace.is_leaf(at)),
        key=lambda at: len(trace.receipts(at)),
    )
    steps = trace.receipts(weight)
    assert len(steps) == 40
    total = np.float32(0)
    for step in steps:
        total = total + trace.contribution(step)
        assert trace.total_after(step) == total


def test_the_sums_of_many_contributions_are_put_together_at_once(tmp_path):
    w = torch.tensor(0.5, requires_grad=True)
    with Recorder(tmp_path / "run.bp"):
        sum(w * number for number in range(200)).backward()
    trace = trace_of(read(tmp_path / "run.bp"))
    steps = trace.receipts(node_of(trace, "w"))
    assert len(steps) == 200
    assert trace.total_after(steps[-1]) == w.grad.item()
    assert trace.total_after(steps[2]) == sum(trace.contribution(step) for step in steps[:3])


def test_what_the_catalogue_knows_is_told_recomputed_and_opened(recorded):
    trace = recorded("mlp")
    softmax = next(
        node for node in range(len(trace.nodes)) if trace.nodes.operation_name(node) == "softmax"
    )
    explains = trace.can(Explains, softmax)
    assert not isinstance(explains, Missing)
    (operand,) = trace.nodes.operands[softmax]
    label = trace.label(operand)
    assert explains.output(softmax).text(trace.label) == f"softmax({label})"
    assert explains.product(softmax, 0) is not None
    (step,) = trace.receipts(operand)
    recomputes, opens = trace.can(Recomputes, softmax), trace.can(Opens, softmax)
    assert not isinstance(recomputes, Missing)
    assert not isinstance(opens, Missing)
    upstream = trace.gradient(softmax, step)
    np.testing.assert_allclose(
        recomputes.send(softmax, 0, upstream), trace.contribution(step), rtol=1e-5
    )
    opened = opens.open(softmax, trace.passes[2])
    assert len(opened.nodes) > 3
    assert f"Here a is {label}.\n" in opened.heading.about
    assert f" = softmax({label})" in opened.heading.title
    a = node_of(opened, "a")
    np.testing.assert_allclose(
        opened.gradient(a, len(opened)), trace.contribution(step), rtol=1e-4, atol=1e-7
    )


def test_numbers_in_a_call_stand_in_its_formula(recorded):
    trace = recorded("in_place_error")
    z = node_of(trace, "z")
    explains = trace.can(Explains, z)
    assert not isinstance(explains, Missing)
    assert explains.output(z).text(trace.label) in ("y·3", "3·y", "3y", "y@1·3")
    local = explains.local(z, 0)
    assert local is not None
    assert local.text(trace.label) == "3"


def test_what_cannot_be_done_says_why(recorded):
    trace = recorded("lstm_cells", values=0)
    cell = next(
        node for node in range(len(trace.nodes)) if trace.nodes.operation_name(node) == "lstm_cell"
    )
    missing = trace.can(Explains, cell)
    assert isinstance(missing, Missing)
    assert "lstm_cell" in missing.reason
    missing = trace.can(Reruns)
    assert isinstance(missing, Missing)
    assert "recording" in missing.reason


def test_each_of_several_outputs_has_the_formula_of_its_own(recorded):
    trace = recorded("several_outputs")
    told = {}
    for node in trace.nodes.computed.tolist():
        explains = trace.can(Explains, node)
        if not isinstance(explains, Missing):
            told[trace.nodes.operation_name(node)] = explains.output(node).text(trace.label)
    assert {"split", "unbind", "max", "topk"} <= told.keys()
    assert told["topk"].startswith("topk(")


def test_half_types_are_told_and_agree_as_far_as_they_go(recorded):
    trace = recorded("dtypes")
    told = {
        trace.nodes.dtype_of(node)
        for node in trace.nodes.computed.tolist()
        if not isinstance(trace.can(Recomputes, node), Missing)
    }
    assert {"float16", "bfloat16", "float32"} <= told


def test_what_the_catalogue_does_not_know_is_in_torchs_own_words(recorded):
    trace = recorded("third_derivative")
    cosine = next(
        at
        for at in range(len(trace))
        if trace.step(at).kind is StepKind.CONTRIBUTION
        and trace.nodes.grad_fn(trace.senders[at]) == "CosBackward0"
        and isinstance(trace.can(Explains, trace.senders[at]), Missing)
    )
    told = explain(trace, cosine)
    assert text_of(told.vjp).endswith(" = grad * -self.sin().conj()")
    assert told.sentence.startswith("torch's derivatives.yaml has this of CosBackward0; grad is ")


def test_what_stands_for_several_autograd_nodes_has_no_text_of_torchs(recorded):
    trace = recorded("lstm_cells")
    cell = next(
        node for node in range(len(trace.nodes)) if trace.nodes.operation_name(node) == "lstm_cell"
    )
    assert isinstance(trace.can(Quotes, cell), Missing)


def test_of_summaries_only_the_last_sum_is_known(tmp_path):
    x = torch.arange(100.0, requires_grad=True)
    with Recorder(tmp_path / "run.bp", values=0):
        (x * 2 + x * 3).sum().backward()
    trace = trace_of(read(tmp_path / "run.bp"))
    first, last = (trace.total_after(step) for step in trace.receipts(node_of(trace, "x")))
    assert isinstance(first, Summary)
    assert isinstance(last, Summary)
    assert last.norm == pytest.approx(50.0)
    (node, *_) = trace.nodes.computed
    explains, missing = trace.can(Explains, node), trace.can(Recomputes, node)
    assert not isinstance(explains, Missing)
    assert explains.output(node).text(trace.label) == "x·2"
    assert isinstance(missing, Missing)
    assert missing.instead == "record with --values all"


def test_a_derivative_of_a_derivative_goes_through_nodes_of_torchs_own(recorded):
    trace = recorded("double_backward")
    second = trace.passes[-1]
    names = {
        trace.nodes.operation_name(trace.senders[at]) for at in range(second.start, second.stop)
    }
    assert "SoftplusBackwardBackward0" in names
    assert trace.grad(node_of(trace, "critic.0.weight"), len(trace)) is not None


def test_the_culprit_of_a_change_in_place_is_found(tmp_path):
    with Recorder(tmp_path / "run.bp"):
        run_script(SCRIPTS["in_place_error"])
    found = culprit(read(tmp_path / "run.bp"))
    assert found is not None
    assert (found.grad_fn, found.saved) == ("SigmoidBackward0", "result")
    assert found.needed is not None
    assert found.changed is not None
    assert (found.needed.text, found.changed.text) == ("torch.sigmoid(x)", "y.add_(1)")


def test_a_program_without_a_backward_pass_is_a_forward_pass(tmp_path):
    with Recorder(tmp_path / "run.bp"), torch.no_grad():
        x = torch.ones(3)
        y = torch.log(x - 1)
        del y
    trace = trace_of(read(tmp_path / "run.bp"))
    assert [pass_.kind for pass_ in trace.passes] == [PassKind.FORWARD]
    assert {"x", "y"} <= set(trace.names)


def test_a_long_recording_is_put_together(tmp_path):
    trace = open_recording(write_chain(tmp_path / "run.bp", 70))
    assert len(trace) == 70 + 1 + 69 + 70
    assert trace.named("x@71") == len(trace.nodes) - 1
    steps = trace.receipts(node_of(trace, "w"))
    assert [trace.total_after(step) for step in steps[:3]] == [1.0, 2.0, 3.0]
    assert trace.total_after(steps[-2]) == 69.0


def test_an_empty_recording_has_an_empty_trace(tmp_path):
    with Recorder(tmp_path / "run.bp"):
        pass
    trace = trace_of(read(tmp_path / "run.bp"))
    assert (len(trace.nodes), len(trace)) == (0, 0)


def test_a_run_that_an_error_ended_begins_at_its_end_and_tells_whose_fault_it_was(tmp_path):
    x = torch.ones(3, requires_grad=True)

    def program() -> None:
        y = torch.sigmoid(x)
        y.add_(1)
        y.sum().backward()

    with pytest.raises(RuntimeError, match="inplace"), Recorder(tmp_path / "run.bp"):
        program()
    trace = trace_of(read(tmp_path / "run.bp"))
    assert trace.heading.start == len(trace)
    assert "the program ended with RuntimeError" in trace.heading.note
    assert trace.heading.note.endswith(
        "`y.add_(1)` changed it in place; write it without, or after backward()"
    )
    assert "SigmoidBackward0 needs its result as it was then" in trace.heading.about


def test_the_notes_tell_the_loss_and_the_parameters_without_a_gradient(recorded):
    about = recorded("mlp").heading.about
    assert "The loss, pass by pass: 1.013 → " in about
    assert "`.grad` is None of `unused.weight`, `unused.bias`" in about
