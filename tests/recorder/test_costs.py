"""What is kept of large values, and of many that are alike."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from backprop_engine.basics.summary import Summary
from backprop_engine.recording.layout import ValueKind
from backprop_engine.recording.reader import read
from backprop_recorder.recorder import Recorder


def test_no_whole_value_takes_more_than_a_256th_of_the_budget(tmp_path: Path) -> None:
    small, large = torch.ones(250_000 // 4), torch.ones(250_000 // 4 + 1)
    with Recorder(tmp_path / "run.bp", values=64):
        small * 2
        large * 2
    values = read(tmp_path / "run.bp").values
    kinds = [ValueKind(int(kind)) for kind in values.kind]
    assert kinds == [ValueKind.WHOLE] * 2 + [ValueKind.SUMMARY] * 2
    with Recorder(tmp_path / "all.bp", values=float("inf")):
        large * 2
    assert set(read(tmp_path / "all.bp").values.kind) == {ValueKind.WHOLE}


def test_of_masks_that_are_alike_one_is_kept_whole(tmp_path: Path) -> None:
    mask = torch.ones(100, 100, dtype=torch.bool).tril()
    path = tmp_path / "run.bp"
    with Recorder(path, values=0):
        for scores in torch.ones(3, 100, 100):
            scores.masked_fill(~mask, float("-inf"))
        (scores * 0).masked_fill(scores > 0, float("nan"))
    values = read(path).values
    spoilt = np.flatnonzero(values.are_spoilt).tolist()
    whole = [values.array(number) for number in spoilt]
    assert [array is not None for array in whole] == [True, False, False, True]
    assert whole[0] is not None
    assert np.count_nonzero(np.isneginf(whole[0])) == int((~mask).sum())
    summary = values.known(spoilt[1])
    assert isinstance(summary, Summary)
    assert summary.infinities == int((~mask).sum())


def test_a_part_of_something_has_the_norm_that_torch_gives_it(tmp_path: Path) -> None:
    whole = torch.randn(40, 90)
    parts = [whole[:, 7:80], whole[::2].t(), whole.expand(3, 40, 90), whole[3:7].t()]
    with Recorder(tmp_path / "run.bp", values=0):
        for part in parts:
            torch.relu(part)
    operands = torch.from_numpy(read(tmp_path / "run.bp").values.norm[::2].copy())
    torch.testing.assert_close(
        operands, torch.stack([part.double().norm() for part in parts]), rtol=1e-6, atol=0
    )
