"""Traces of texts, and what ended up in `.grad`."""

from __future__ import annotations

from backprop_engine.basics.source import Source
from backprop_engine.run.record import record
from backprop_engine.run.tape import graph_of
from backprop_engine.scenarios.loader import parse_document, parse_shorthand, parse_snippet
from backprop_engine.trace import Trace


def shorthand(text: str) -> Trace:
    return record(parse_shorthand(Source("<-e>", text)))


def snippet(text: str) -> Trace:
    return record(parse_snippet(Source("snippet.py", text)))


def document(text: str) -> Trace:
    return record(parse_document(Source("lesson.yaml", text)))


def grad(trace: Trace, name: str) -> object:
    node = graph_of(trace).inputs.get(name, trace.assigned.get(name, -1))
    return trace.grad(node, len(trace))
