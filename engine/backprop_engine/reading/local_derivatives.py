"""The local derivative of a contribution step, as a number or an array."""

from __future__ import annotations

import numpy as np

from backprop_engine.basics.summary import Summary
from backprop_engine.basics.values import Value, full_like
from backprop_engine.trace import Missing, Trace
from backprop_engine.trace.abilities import Explains, Recomputes


def local_derivative(trace: Trace, index: int) -> Value | None:
    """∂node/∂operand of contribution step `index`.

    None where elements mix and it is a Jacobian, and where it can be neither computed nor told
    from what was sent.
    """
    node, _, position = trace.edge(index)
    explains = trace.can(Explains, node)
    is_told = not isinstance(explains, Missing) and explains.local(node, position) is not None
    if has_array(trace, node) and not is_told:
        return None
    return sent_for_one(trace, node, position)


def sent_for_one(trace: Trace, node: int, position: int) -> Value | None:
    """∂node/∂operand: what is sent for an upstream gradient of one."""
    output, recomputes = trace.nodes.value[node], trace.can(Recomputes, node)
    if isinstance(recomputes, Missing) or isinstance(output, Summary):
        return None
    return recomputes.terms(node, position, full_like(output, 1.0))


def has_array(trace: Trace, node: int) -> bool:
    """Whether `node` or an operand of it is more than a number."""
    nodes = (node, *trace.nodes.operands[node])
    return any(isinstance(trace.nodes.value[node], np.ndarray | Summary) for node in nodes)
