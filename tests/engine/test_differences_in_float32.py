"""Finite differences of what runs in float32: rounding of the run itself is no gradient."""

from __future__ import annotations

from backprop_engine.basics.source import Source
from backprop_engine.checking.differences import finite_differences
from backprop_engine.run.record import record
from backprop_engine.scenarios.loader import parse_document


def test_a_norm_of_equal_elements_is_no_false_alarm() -> None:
    text = (
        "dtype: float32\ninputs: {x: [1, 1, 1, 1]}\n"
        "compute: y = (F.rms_norm(x, (4,)) * torch.arange(4.)).sum()\n"
    )
    (found,) = finite_differences(record(parse_document(Source("a.yaml", text)))).values()
    assert found.agrees
    assert not found.skipped
