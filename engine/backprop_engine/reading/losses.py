"""The loss over the iterations of a run that goes on and on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.values import Known
from backprop_engine.reading.kept_by_trace import remembered
from backprop_engine.trace import Pass, PassKind, Trace


@dataclass(frozen=True, eq=False, slots=True)
class Losses:
    """What the backward passes of one name start from; `name` is that without its version."""

    name: str
    values: Sequence[float | None]
    """None where only a summary of it is kept."""
    cursors: Sequence[int]
    """Where its backward pass begins."""

    def at(self, cursor: int) -> int:
        """The one that stands on the screen at `cursor`: the last that has begun, or the first."""
        return max(int(np.searchsorted(self.cursors, cursor, "right")) - 1, 0)


@remembered
def _losses(trace: Trace) -> dict[str, Losses]:
    """By name, of the names that several passes start from."""
    passes: dict[str, list[Pass]] = {}
    for pass_ in trace.passes:
        if pass_.kind is PassKind.BACKWARD and pass_.output is not None:
            passes.setdefault(_name(trace, pass_), []).append(pass_)
    return {
        name: Losses(
            name,
            [_number(trace.nodes.value[_node(pass_)]) for pass_ in found],
            [pass_.start for pass_ in found],
        )
        for name, found in passes.items()
        if len(found) > 1
    }


def losses_at(trace: Trace, cursor: int) -> Losses | None:
    """The losses of the kind that the pass around `cursor` starts from; else of any other kind."""
    every = _losses(trace) if trace.heading.computed_by else {}
    shown = trace.passes[trace.pass_index(cursor) :] + trace.passes[::-1]
    name = next((_name(trace, pass_) for pass_ in shown if pass_.output is not None), "")
    return every.get(name) or next(iter(every.values()), None)


def _name(trace: Trace, pass_: Pass) -> str:
    label = trace.nodes.names.get(_node(pass_))
    return label.partition("@")[0] if label else trace.nodes.operation_name(_node(pass_))


def _node(pass_: Pass) -> int:
    return (pass_.output or 0) if pass_.loss is None else pass_.loss


def _number(value: Known) -> float | None:
    is_number = isinstance(value, float | int | np.float32)
    return float(value) if is_number else None  # type: ignore[arg-type]
