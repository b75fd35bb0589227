"""Runs anew that a test decides upon."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from backprop_engine.basics.values import Value
from backprop_engine.trace import Trace


@dataclass
class _Reruns:
    function: Callable[..., Trace]
    seconds: float

    def run(
        self,
        changed: Mapping[int, Value] | None = None,
        is_unwanted: Callable[[], bool] | None = None,
    ) -> Trace:
        return self.function(changed, is_unwanted)


def rerun_by(trace: Trace, function: Callable[..., Trace], seconds: float = 0.0) -> Trace:
    """`trace`, which `function` runs anew and says to take so many seconds."""
    producer: Any = trace.producer
    return replace(trace, producer=replace(producer, reruns=_Reruns(function, seconds)))
