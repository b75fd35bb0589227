"""The doors through which text comes in, and what may come out: an answer, or a refusal.

Each door takes a text and lets pass nothing but the errors that are for people. Whatever else is
raised is a fault of ours. hypothesis and atheris both knock here.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from functools import cache

from backprop_engine.basics.source import OperandError, ProblemError, ScenarioError, Source
from backprop_engine.program.scenario import Scenario
from backprop_engine.reading.conditions import compile_condition
from backprop_engine.reading.watches import compile_watch
from backprop_engine.run.record import record
from backprop_engine.run.tape import graph_of
from backprop_engine.scenarios.loader import parse_document, parse_shorthand, parse_snippet
from backprop_engine.trace import Trace
from backprop_tui.config.settings import parse_settings
from backprop_tui.memory.layout import read
from backprop_tui.oracles.messages import NO_MESSAGE, TooLongError, line_of, unpacked
from backprop_tui.oracles.torch.protocol import decode_report
from backprop_tui.session.search.searching import compile_query, is_condition, text_query
from backprop_tui.session.whatif.parsing import parse_edit

REFUSED = (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError)
"""What the keeper takes for a file that memory has not written."""

MOST_SENT = 2**20
"""Bytes of the arrays of a reply."""

MAX_LENGTH = 4_000
"""Characters: enough for every mistake, and read in no time."""


def document(text: str) -> str:
    """A scenario file; what is wrong with it, or an empty text."""
    return _run(parse_document, Source("lesson.yaml", text))


def shorthand(text: str) -> str:
    """The text after `-e`."""
    return _run(parse_shorthand, Source("<-e>", text))


def snippet(text: str) -> str:
    """A pasted PyTorch program."""
    return _run(parse_snippet, Source("snippet.py", text))


def _run(parse: Callable[[Source], Scenario], source: Source) -> str:
    try:
        record(parse(source))
    except ScenarioError as error:
        told = error.render()
        assert all(line.isprintable() for line in told.split("\n")), told
        json.dumps([problem.sentence for problem in error.problems])
        return told
    return ""


@cache
def lesson() -> Trace:
    """A small run to ask things of."""
    text = "x=[1, 2], W=[[1, 2], [3, 4]], h=tanh(W @ x), y=h.sum()"
    return record(parse_shorthand(Source("<-e>", text)))


def condition(text: str) -> str:
    """The condition of a breakpoint, with a value for each of its names."""
    try:
        compile_condition(text).value(lambda _: 2.0)
    except (ProblemError, OperandError) as error:
        return str(error)
    return ""


def watch(text: str) -> str:
    """A watch, on values of the small run."""
    try:
        compile_watch(text, lesson()).value(lambda _: graph_of(lesson()).value[0])
    except (ProblemError, OperandError) as error:
        return str(error)
    return ""


def reply(text: str) -> str:
    """What a process that should be torch says; refused with one of the errors that the client
    knows.
    """
    stream = io.BytesIO(f"{text}\n".encode("utf-8", "surrogatepass"))
    try:
        decode_report(lesson(), unpacked(line_of(stream), stream, MOST_SENT))
    except (*NO_MESSAGE, EOFError, TooLongError) as error:
        return type(error).__name__
    return ""


def settings(text: str) -> str:
    """A configuration file."""
    told = parse_settings(text, "config.toml").mistakes
    assert all(one.isprintable() for one in told), told
    return "; ".join(told)


def memory(text: str) -> str:
    """What was remembered of a scenario; refused with one of the errors that the keeper knows."""
    try:
        found = json.loads(text)
        if isinstance(found, dict):
            read(found, lesson())
    except (
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        OverflowError,
        RecursionError,
    ) as error:
        return type(error).__name__
    return ""


def edit(text: str) -> str:
    """Another value for an input."""
    try:
        parse_edit(text, lesson(), 0)
    except ProblemError as error:
        return str(error)
    return ""


def query(text: str) -> str:
    """What to search for."""
    try:
        if is_condition(text):
            compile_query(text).value(lambda _: 2.0)
        else:
            text_query(text)
    except (ProblemError, OperandError) as error:
        return str(error)
    return ""


DOORS: Mapping[str, Callable[[str], str]] = {
    "document": document,
    "shorthand": shorthand,
    "snippet": snippet,
    "condition": condition,
    "watch": watch,
    "reply": reply,
    "settings": settings,
    "memory": memory,
    "edit": edit,
    "query": query,
}
