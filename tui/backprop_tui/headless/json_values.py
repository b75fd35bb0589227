"""Values as JSON: arrays as nested lists, and the strings "nan", "inf" and "-inf"."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np

from backprop_engine.basics.values import Value


def json_value(value: Value | None) -> Any:
    """A number, a nested list, or one of the strings that stand for what JSON has no number for."""
    if isinstance(value, np.ndarray):
        return _nested(value.tolist()) if not np.isfinite(value).all() else value.tolist()
    return _number(value.item() if isinstance(value, np.generic) else value)


def json_line(record: Any) -> str:
    """One object on one line, in ASCII, and strictly JSON."""
    return json.dumps(record, allow_nan=False)


def _nested(items: Any) -> Any:
    """As deep as the array has axes, so never deeper than numpy's limit of 64."""
    return [_nested(one) for one in items] if isinstance(items, list) else _number(items)


def _number(value: float | bool | None) -> float | bool | str | None:
    if isinstance(value, float) and not math.isfinite(value):
        return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"
    return value
