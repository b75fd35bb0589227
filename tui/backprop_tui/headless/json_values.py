"""Values as JSON: arrays as nested lists, and the strings "nan", "inf" and "-inf"."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np

from backprop_engine.basics.summary import Summary
from backprop_engine.basics.values import Known


def json_value(value: Known | None) -> Any:
    """A number, a nested list, or one of the strings that stand for what JSON has no number for.

    Of a value that is not kept an object with its figures.
    """
    if isinstance(value, Summary):
        figures = ("minimum", "maximum", "mean", "norm")
        counts = {name: getattr(value, name) for name in ("zeros", "nans", "infinities")}
        told = {name: _number(getattr(value, name)) for name in figures}
        return {"shape": list(value.shape), "dtype": value.dtype, **told, **counts}
    if isinstance(value, np.ndarray):
        return _nested(value.tolist()) if not np.isfinite(value).all() else value.tolist()
    return _number(value.item() if isinstance(value, np.generic) else value)


def json_line(record: Any) -> str:
    """One object on one line, in ASCII, and strictly JSON."""
    return json.dumps(record, allow_nan=False)


def _nested(items: Any) -> Any:
    """As deep as the array has axes, so never deeper than numpy's limit of 64."""
    return [_nested(item) for item in items] if isinstance(items, list) else _number(items)


def _number(value: float | bool | None) -> float | bool | str | None:
    if isinstance(value, float) and not math.isfinite(value):
        return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"
    return value
