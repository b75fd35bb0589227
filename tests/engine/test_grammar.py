"""The table of the grammar that is kept is the one lark would work out."""

from __future__ import annotations

import json

import pytest

from backprop_engine.basics.source import ProblemError, Source
from backprop_engine.grammar import parser
from backprop_engine.grammar import table as grammar
from backprop_engine.grammar.excerpt import whole
from backprop_engine.grammar.parser import parse_program

TEXTS = [
    "y = 3x**2 + 2(x + 1)(x - 1)[0]",
    "for i in range(3):\n  h = w*h + b[i, :2]",
    "a, (b, c) = f(x, dim=-1), [g(t) for t in (1, 2)]",
    "y = -x @ W.T > 0 | z",
    "y = (1 +", "y = = 2", "for i range(3): y = i", "y = x[1:2:3:4]", "= 3",
]  # fmt: skip


def outcome(text: str) -> str:
    """The statements of `text`, or what is said against it."""
    try:
        return repr(parse_program(whole(Source("<-e>", text))))
    except ProblemError as error:
        return repr(error.problem)


@pytest.fixture
def without_table(monkeypatch):
    monkeypatch.setattr(grammar.lark, "__version__", "another")
    parser._parser.cache_clear()
    yield
    parser._parser.cache_clear()


def test_the_table_is_of_this_grammar_and_this_lark():
    path = grammar._HERE / grammar.TABLE_FILE
    assert grammar.is_current(json.loads(path.read_text("utf-8"))), "run `make table`"


def test_with_another_lark_or_without_a_table_all_is_the_same(request):
    kept = [outcome(text) for text in TEXTS]
    request.getfixturevalue("without_table")
    assert [outcome(text) for text in TEXTS] == kept
