"""Nodes of two runs of nearly the same text, told apart by what a person calls them."""

from __future__ import annotations

from collections import Counter
from functools import lru_cache

from backprop_engine.trace import Trace

Key = tuple[str, int]
"""A name, or the text in the source that made a node; and which of those of that text it is."""


@lru_cache(maxsize=2)
def node_keys(trace: Trace) -> tuple[Key, ...]:
    """The key of every node.

    Invented names such as `%3` count the nodes, and are others as soon as a line is added above.
    """
    nodes = trace.nodes
    seen: Counter[str] = Counter()
    keys = []
    for node in range(len(nodes)):
        name = nodes.names.get(node)
        place = nodes.place(node)
        if name is None and place is not None:
            name = f" {place.text}"  # no name starts with a blank
        name = name or f" {trace.label(node)}"
        keys.append((name, seen[name]))
        seen[name] += 1
    return tuple(keys)


@lru_cache(maxsize=2)
def nodes_by_key(trace: Trace) -> dict[Key, int]:
    """The node of every key."""
    return {key: node for node, key in enumerate(node_keys(trace))}


def same_node(old: Trace, node: int, new: Trace) -> int | None:
    """The node of `new` that is called as `node` is in `old`; None where there is none."""
    return nodes_by_key(new).get(node_keys(old)[node])
