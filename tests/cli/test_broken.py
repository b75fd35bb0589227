"""`check --broken KIND`: where an engine of ours with one mistake goes wrong."""

from __future__ import annotations

import json

import pytest
from tests.mistakes.test_broken import bundled

from backprop_engine.mistakes.broken import BROKEN, shows
from backprop_tui.oracles.yours.broken import first_mistake
from backprop_tui.oracles.yours.verdict import Kind

LOOPS = {
    "overwrite": Kind.OVERWRITTEN,
    "dfs": Kind.ORDER,
    "visited-twice": Kind.FIRED_TWICE,
    "no-unbroadcast": Kind.SHAPE,
    "stale": Kind.STALE,
    "seed": Kind.SEED,
    "transposed-or-wrong-order": Kind.SHAPE,
}
"""What is wrong where it is no rule; a transposed gradient mostly has another shape."""
TWICE = "x=2, y=x**2+3x+1"


@pytest.mark.parametrize("slug", BROKEN)
def test_where_a_mistake_shows_it_is_found_and_mostly_by_its_name(slug: str) -> None:
    engine, named = BROKEN[slug], []
    for name, trace in bundled().items():
        if shows(engine, trace):
            verdict = first_mistake(engine, trace)
            assert verdict is not None, name
            is_rule = verdict.kind is Kind.RULE and engine.mistake.name in verdict.message
            named.append(is_rule or verdict.kind is LOOPS.get(slug))
    # At some numbers a mistake sends what another, more special one would.
    assert sum(named) >= 0.75 * len(named)


def test_the_first_mistake_is_told_with_its_step_and_where_else_it_shows(run) -> None:
    code, out, complaint = run("check", "--broken", "overwrite", "-e", TWICE)
    assert (code, complaint) == (1, "")
    assert "✗ overwrite in <-e>: overwritten, step 9" in out
    assert "it held 3, 4 is sent, and now it holds 4" in out
    assert "overwrite shows in 2" in out
    assert "lesson-03-used-twice" in out


def test_where_it_does_not_show_nothing_is_wrong(run) -> None:
    code, out, _ = run("check", "--broken", "overwrite", "-e", "x=2, y=x**3")
    assert code == 0
    assert out.startswith("✓ overwrite does not show in <-e>\n")


def test_the_json_is_that_of_yours_and_where_it_shows(run, scenario) -> None:
    scenario("bad.yaml", "compute: y = x^2\n")
    code, out, _ = run("check", "--json", "--broken", "sign", "-e", TWICE, "bad.yaml")
    told, bad = map(json.loads, out.splitlines())
    assert code == 2
    assert (told["ok"], told["verdict"], told["step"], told["line"]) == (False, "rule", 5, None)
    assert "sign" in told["message"]
    assert told["mistake"] == "the sign is the other one"
    assert "basic" in told["shows_in"]
    assert bad["errors"]


def test_kinds_are_listed_and_an_unknown_one_is_refused(run) -> None:
    assert [line.split()[0] for line in run("check", "--broken", "list")[1].splitlines()] == [
        *BROKEN
    ]
    code, out, complaint = run("check", "--broken", "foo", "-e", TWICE)
    assert (code, out) == (2, "")
    assert "there is no mistake `foo`; `backprop-tui check --broken list` lists them" in complaint
    complaint = run("check", "--broken", "overwite", "-e", TWICE)[2]
    assert "there is no mistake `overwite`; did you mean `overwrite`?" in complaint


def test_what_is_sent_instead_is_told_with_its_place(run) -> None:
    text = "x=[1, 2, 4], p=x**2, y=mean(p)"
    out = run("check", "--broken", "1-by-n-missing-or-twice", "-e", text)[1]
    assert "y sends 1 at [0] to p; 0.333333 is right: 1/n missing or twice" in out
