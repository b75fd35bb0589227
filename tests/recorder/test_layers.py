"""Recurrent layers: what they give has names, and their steps in time come to what torch sent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_sequence

from backprop_engine.reading.opened import compare_sent, open_composite, seeding_pass
from backprop_engine.recording.opened import open_recording
from backprop_engine.trace import Missing, Trace
from backprop_engine.trace.abilities import Opens
from backprop_recorder.recorder import Recorder

NAMES = ("lstm", "gru", "rnn_tanh", "rnn_relu", "lstm_cell", "gru_cell", "rnn_tanh_cell")


def recorded(path: Path, layer: nn.Module, given: Any, **options: Any) -> Trace:
    """One pass back from all that the layer gives but the last state of the first kind."""
    with Recorder(path, **options) as recorder:
        result = layer(given)
        first, rest = result if isinstance(result, tuple) else (result, result)
        first = first.data if isinstance(first, nn.utils.rnn.PackedSequence) else first
        last = rest[1] if isinstance(rest, tuple) else rest
        (first.pow(2).sum() + last.pow(3).sum()).backward()
    assert recorder.faults == []
    return open_recording(path)


def results(trace: Trace) -> list[int]:
    """The nodes that a recurrent layer has given."""
    return [n for n in trace.nodes.computed.tolist() if trace.nodes.operation_name(n) in NAMES]


@pytest.mark.parametrize(
    ("layer", "count"),
    [
        (nn.LSTM(3, 2), 5),
        (nn.LSTM(3, 2, 2, bidirectional=True, batch_first=True), 17),
        (nn.GRU(3, 2, 2, bias=False, batch_first=True), 5),
        (nn.GRU(3, 2, bidirectional=True), 9),
        (nn.RNN(3, 2, nonlinearity="relu"), 5),
        (nn.LSTMCell(3, 2), 5),
        (nn.GRUCell(3, 2), 5),
        (nn.RNNCell(3, 2, bias=False), 3),
    ],
    ids=str,
)
def test_the_steps_of_a_layer_come_to_what_torch_sent(layer, count, tmp_path):
    torch.manual_seed(1)
    x = torch.randn(4, 3, requires_grad=True)
    trace = recorded(tmp_path / "run.bp", layer, x if "Cell" in str(layer) else x[None].sin())
    for node in results(trace):
        opened = open_composite(trace, node, seeding_pass(trace, node, 0))
        sent = compare_sent(opened)
        assert len(sent) == count  # x, and every weight
        assert all(one.comparison.agrees for one in sent), sent


def test_what_a_layer_gives_has_torchs_names_where_the_program_has_none(tmp_path):
    net = nn.ModuleDict({"reader": nn.LSTM(3, 2)})
    with Recorder(tmp_path / "run.bp"):
        net["reader"](torch.randn(4, 1, 3))[0].sum().backward()
    trace = open_recording(tmp_path / "run.bp")
    assert [trace.label(node) for node in results(trace)] == [
        "net.reader.output", "net.reader.h_n", "net.reader.c_n",
    ]  # fmt: skip
    opens = trace.can(Opens, results(trace)[0])
    assert not isinstance(opens, Missing)
    inside = opens.open(results(trace)[0], trace.passes[-1])
    assert "weight_hh_l0 is net.reader.weight_hh_l0" in inside.heading.about
    assert {"output", "h_n", "c_n", "weight_ih_l0"} <= set(inside.names)


@pytest.mark.parametrize(
    ("layer", "given", "options", "reason", "instead"),
    [
        (nn.LSTM(3, 2, 2, dropout=0.5), torch.ones(4, 1, 3), {}, "dropout", "set dropout=0"),
        (nn.LSTM(3, 2, proj_size=1), torch.ones(4, 1, 3), {}, "projects", "leave out proj_size"),
        (nn.GRU(3, 2), torch.ones(200, 1, 3), {}, "its 200 steps", "record a shorter sequence"),
        (nn.GRU(3, 2), torch.ones(40, 1, 3), {"values": 0}, "summary", "record with --values all"),
        (
            nn.GRU(3, 2), pack_sequence([torch.ones(3, 3), torch.ones(2, 3)]), {}, "packed",
            "run it without pack_padded_sequence",
        ),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:LSTM with projections")
def test_what_cannot_be_spelled_out_says_why_and_what_to_do(
    layer, given, options, reason, instead, tmp_path
):
    trace = recorded(tmp_path / "run.bp", layer, given, **options)
    missing = trace.can(Opens, results(trace)[0])
    assert isinstance(missing, Missing)
    assert reason in missing.reason
    assert missing.instead == instead
