"""A node of a trace passed off as the output of another operation than the one that made it."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from backprop_engine.node_kinds import NodeKind
from backprop_engine.operation import Operation
from backprop_engine.run.tape import graph_of
from backprop_engine.trace import Trace


def changed(operation: Operation, **changes: Any) -> Operation:
    """The operation with other fields, each in the part of it that has one of this name."""
    for part in ("spelling", "description", "twins"):
        old = getattr(operation, part)
        own = {
            field.name: changes.pop(field.name) for field in fields(old) if field.name in changes
        }
        operation = replace(operation, **{part: replace(old, **own)})
    return replace(operation, **changes)


def pass_off(trace: Trace, node: int, **changes: Any) -> None:
    """Let the operation of `node`, and of no other node, have these fields."""
    kinds = graph_of(trace).kind
    kind = kinds[node]
    if kind.operation is None:
        raise ValueError(f"node {node} is a leaf")
    operation = changed(kind.operation, **changes)
    kinds[node] = NodeKind(operation, kind.requires_grad, kind.is_number)
