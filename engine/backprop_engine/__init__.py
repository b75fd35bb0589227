"""A small autograd engine on numpy that records every step of a backward pass.

>>> from backprop_engine import load, record
>>> trace = record(load("scenarios/basic.yaml"))
>>> x = trace.named("x")
>>> trace.grad(x, len(trace))
7.0
>>> [trace.contribution(step) for step in trace.receipts(x)]
[3.0, 4.0]

`load` reads a file or, as a `Source`, a text; `record` runs it forward and back; the `Trace` that
comes of it is frozen, and is asked. Values are Python floats, `np.float32` or arrays of the
scenario's dtype, in the shapes that torch would have.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from backprop_engine.run.record import record
    from backprop_engine.scenarios.loader import load
    from backprop_engine.trace import Trace

__all__ = ["Trace", "load", "record"]

_PLACES = {
    "load": "backprop_engine.scenarios.loader",
    "record": "backprop_engine.run.record",
    "Trace": "backprop_engine.trace",
}


def __getattr__(name: str) -> Any:
    """What is public, imported when it is asked for: the package alone costs nothing."""
    from importlib import import_module

    if name in _PLACES:
        return getattr(import_module(_PLACES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
