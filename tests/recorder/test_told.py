"""What is told of programs as people write them: names, losses, outputs nobody uses, words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from tests.recorder.programs import SCRIPTS, run_script

from backprop_engine.reading.explain import explain
from backprop_engine.reading.losses import losses_at
from backprop_engine.recording.opened import open_recording
from backprop_engine.recording.reader import read
from backprop_engine.trace import Missing, StepKind, Trace
from backprop_engine.trace.abilities import Opens
from backprop_recorder.recorder import Recorder
from backprop_tui.cli import main


@pytest.fixture
def told(tmp_path) -> Any:
    """The trace of one of the programs, and what it printed."""

    def record(name: str, **options: Any) -> tuple[Trace, list[str]]:
        with Recorder(tmp_path / "run.bp", **options) as recorder:
            ran = run_script(SCRIPTS[name])
        assert recorder.faults == []
        return open_recording(tmp_path / "run.bp"), ran.printed.split()

    return record


def test_a_layer_made_while_recording_gives_its_parameters_their_names(told):
    trace, _ = told("linreg")
    named = {trace.label(node).partition("@")[0] for node in trace.nodes.keeping_grad}
    assert named == {"model.weight", "model.bias"}


def test_the_loss_of_mixed_precision_is_the_one_before_it_was_scaled(told):
    trace, printed = told("amp")
    losses = losses_at(trace, 0)
    assert losses is not None
    assert losses.name == "loss"
    assert losses.values == pytest.approx([float(printed[0]), float(printed[3])])
    scaled = next(pass_ for pass_ in trace.passes if pass_.output is not None)
    assert scaled.name == "backward loss@1, scaled"
    assert trace.nodes.value[scaled.output or 0] == pytest.approx(1024 * float(printed[0]))
    called = {trace.nodes.operation_name(node) for node in range(len(trace.nodes))}
    assert called == {"", "linear", "tanh", "float", "mse_loss", "scale", "sum"}  # none of torch's
    assert f"The loss, pass by pass: {float(printed[0]):.4g} → " in trace.heading.about


def test_an_output_that_no_gradient_reaches_requires_grad_all_the_same(told):
    trace, _ = told("tagger")
    notes = [
        explain(trace, index).notes[1]
        for index in range(len(trace))
        if trace.step(index).kind is StepKind.FORWARD
        and trace.nodes.operation_name(trace.step(index).node or 0) == "lstm"
    ]
    unused = "requires grad, but no backward pass has come here"
    assert len(notes) == 6  # of each sentence the outputs, and the two last states
    assert notes.count(unused) == 4
    assert "the graph remembers how it was made" in notes[0]


def test_a_trace_names_the_gradients_that_are_there_after_a_pass(told, tmp_path, capsys):
    told("tagger")
    assert main(["trace", str(tmp_path / "run.bp")]) == 0
    first, second = capsys.readouterr().out.split("backward loss@2")
    grads = ("hidden2tag.bias@1.grad = 3 ", "hidden2tag.bias@2.grad = 3 ")
    assert [text in first for text in grads] == [True, False]
    assert [text in second for text in grads] == [False, True]
    assert "hidden2tag.bias@2.grad" not in first.partition("backward loss@1")[0]


def test_a_clearing_with_nothing_to_clear_says_so(told):
    trace, _ = told("linreg")
    (first, *_) = [pass_ for pass_ in trace.passes if pass_.kind == "zero_grad"]
    assert explain(trace, first.start).headline == "zero_grad: there was no .grad to clear"


def test_a_layer_that_is_filled_by_a_keyword_can_be_looked_into_deeply(told):
    trace, _ = told("linreg", deep=True)
    assert trace.named("loss@1") is not None


class Reversal(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: Any, *sent: torch.Tensor) -> torch.Tensor:
        return -0.5 * sent[0]


def test_a_backward_that_is_meant_to_differ_is_told_as_one_that_may_be(tmp_path, capsys):
    path = Path(tmp_path, "run.bp")
    with Recorder(path, check_functions=True):
        x = torch.tensor([1.0, 2.0], requires_grad=True)
        apply: Any = Reversal.apply
        apply(x * x).sum().backward()
    assert main(["check", str(path)]) == 1
    printed = " ".join(capsys.readouterr().out.split())
    assert "Reversal.backward: by argument 0" in printed
    assert "if that is meant, as of a gradient reversal, it is no mistake" in printed


def test_what_cannot_be_opened_is_told_by_its_own_name(told):
    trace, _ = told("linreg")
    node = trace.named("x")
    assert node is not None
    missing = trace.can(Opens, node)
    assert isinstance(missing, Missing)
    assert missing.reason == "x: unsqueeze is not made of other parts"


@pytest.mark.parametrize(
    ("program", "name", "kernel"),
    [
        ("transformer_layer", "multi_head_attention_forward", "permute"),
        ("einsum", "tensordot", "view"),
    ],
)
def test_what_a_deep_recording_would_show_of_a_call_is_told(told, program, name, kernel):
    trace, _ = told(program)
    node = next(
        at for at in trace.nodes.computed.tolist() if trace.nodes.operation_name(at) == name
    )
    missing = trace.can(Opens, node)
    assert isinstance(missing, Missing)
    assert missing.instead == "run --deep records the kernels that torch runs in it"
    deep, _ = told(program, deep=True)
    called = [
        {each.nodes.operation_name(node) for node in each.nodes.computed.tolist()}
        for each in (trace, deep)
    ]
    assert [kernel in names for names in called] == [False, True]
    assert "recorded with `--deep`" in deep.heading.about
    assert "--deep" not in trace.heading.about
    refused = [deep.can(Opens, node) for node in deep.nodes.computed.tolist()]
    assert all("--deep" not in one.sentence for one in refused if isinstance(one, Missing))


def test_no_deep_recording_is_promised_of_a_call_that_is_one_kernel(told):
    trace, _ = told("custom_function")
    for node in trace.nodes.computed.tolist():
        if isinstance(missing := trace.can(Opens, node), Missing):
            assert "--deep" not in missing.sentence


@pytest.mark.parametrize(
    "how", ["w.data.add_(w.grad)", "w.data = w.data + w.grad", "d.add_(w.grad)", "d[:] += w.grad"]
)
def test_a_weight_that_is_moved_through_its_data_is_another_one(how, tmp_path):
    with Recorder(tmp_path / "run.bp"):
        w = torch.tensor([1.0, 2.0], requires_grad=True)
        d = w.data
        for _ in range(3):
            (w * w).sum().backward()
            exec(how, {"w": w, "d": d})
            w.grad = None
    trace = open_recording(tmp_path / "run.bp")
    values = [trace.nodes.value[trace.named(f"w@{at}") or 0].tolist() for at in (1, 2, 3)]
    assert values == [[1.0, 2.0], [3.0, 6.0], [9.0, 18.0]]


def test_a_parameter_without_a_gradient_is_told_where_it_was_cut_off(tmp_path, capsys):
    (tmp_path / "cut.py").write_text(CUT_OFF)
    with Recorder(tmp_path / "run.bp"):
        run_script(tmp_path / "cut.py")
    assert main(["check", str(tmp_path / "run.bp")]) == 0
    printed = capsys.readouterr().out.splitlines()
    told = dict(line.strip().split(".grad is None: ") for line in printed if "is None" in line)
    aside = "what was computed with it does not lead to what backward() was called on"
    assert told == {
        "first.bias": "cut off at cut.py:13: `h.detach()`",
        "second.bias": "cut off at cut.py:11: `second(x)`, where gradients are switched off",
        "aside.bias": aside,
    }


CUT_OFF = """\
import torch
from torch import nn

first, second, aside, last = (nn.Linear(3, 3) for _ in range(4))
for layer in (first, second, aside, last):
    layer.weight.requires_grad_(False)
x = torch.ones(2, 3)
h = first(x)
metric = aside(x).sum()
with torch.no_grad():
    k = second(x)
accuracy = (last(h).argmax(1) == 0).float().mean()
loss = last(h.detach() + k).sum()
loss.backward()
"""


def test_after_an_error_nobody_is_said_to_be_cut_off(tmp_path, capsys):
    layer = torch.nn.Linear(2, 2)

    def program() -> None:
        y = layer(torch.ones(1, 2)).exp()
        y.add_(1)
        y.sum().backward()

    with pytest.raises(RuntimeError, match="inplace"), Recorder(tmp_path / "run.bp"):
        program()
    assert main(["check", str(tmp_path / "run.bp")]) == 0
    assert "layer.bias.grad is None: the backward pass was ended" in capsys.readouterr().out


def test_a_mask_of_infinity_is_no_birth_and_a_masked_row_has_its_cure(tmp_path, capsys):
    with Recorder(tmp_path / "run.bp"):
        scores = torch.zeros(2, 2, requires_grad=True)
        mask = torch.tensor([[False, True], [True, True]])
        torch.softmax(scores.masked_fill(mask, float("-inf")), 1).sum().backward()
    assert main(["autopsy", str(tmp_path / "run.bp")]) == 1
    printed = " ".join(capsys.readouterr().out.split())
    assert "the first nan is born in step 1, forward: %2 = softmax(%1)" in printed
    assert "a row that is masked everywhere has nothing to share out" in printed
    assert main(["check", str(tmp_path / "run.bp")]) == 0  # 0, where our rule has it too


def test_parameters_of_layers_that_are_called_one_by_one_have_names_of_their_own(tmp_path):
    net = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2))
    layers = [torch.nn.Linear(2, 2), torch.nn.Linear(2, 1)]
    with Recorder(tmp_path / "run.bp"):
        x = net[1](net[0](torch.ones(1, 2)))
        for layer in layers:
            x = layer(x)
        x.sum().backward()
    names = set(read(tmp_path / "run.bp").passes[0].leaf_names.values())
    models = ("net.0", "net.1", "layer", "layer_2")
    assert names == {f"{model}.{part}" for model in models for part in ("weight", "bias")}


@pytest.mark.parametrize(
    "pick",
    [
        lambda x: x.max(dim=1)[0],
        lambda x: x.topk(2)[0],
        lambda x: x.sort(descending=True)[0],
        lambda x: x.kthvalue(2)[0],
        lambda x: torch.nn.functional.max_pool1d(x, 2, return_indices=True)[0],
    ],
    ids=["max", "topk", "sort", "kthvalue", "max_pool1d"],
)
def test_values_send_and_the_indices_beside_them_receive_nothing(tmp_path, pick):
    x = torch.tensor([[1.0, 4.0, 2.0, 3.0], [5.0, 1.0, 2.0, 0.0]], requires_grad=True)
    with Recorder(tmp_path / "run.bp") as recorder:
        (pick(x * 2) ** 2).sum().backward()
    assert recorder.faults == []
    trace = open_recording(tmp_path / "run.bp")
    sent = {
        node: trace.nodes.dtype_of(node)
        for step in range(len(trace))
        if trace.step(step).kind is StepKind.CONTRIBUTION
        for node in (int(trace.senders[step]), int(trace.receivers[step]))
    }
    assert set(sent.values()) == {"float32"}
    assert len(sent) == 5  # the sum, the square, what was picked, the product, x
