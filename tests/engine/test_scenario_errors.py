"""Bad scenarios: each gets one clear message that points at the very character."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backprop_engine.basics.source import ScenarioError, Source
from backprop_engine.program.scenario import Scenario
from backprop_engine.run.record import record
from backprop_engine.scenarios.loader import load, parse_document, parse_shorthand, parse_snippet

SHORTHAND = "<-e>"
FILE = "lesson.yaml"
PROGRAM = "snippet.py"
TABLE = Path(__file__).with_name("bad_scenarios.txt")


def read_table() -> list[tuple[str, str, str]]:
    """Title, scenario and complete error text of each entry of the table.

    An entry is `==== title`, the scenario, `----`, and what is printed. Scenarios whose error
    starts with `<-e>` are in the shorthand, the others are files.
    """
    entries = TABLE.read_text("utf-8").split("==== ")[1:]
    pattern = re.compile(r"(.*?)\n(.*?)\n?----\n(.*)", re.DOTALL)
    parts = [pattern.fullmatch(entry) for entry in entries]
    return [(part[1], part[2], part[3].rstrip("\n")) for part in parts if part]


ENTRIES = read_table()


def parse(name: str, text: str) -> Scenario:
    source = Source(name, text)
    if name == PROGRAM:
        return parse_snippet(source)
    return parse_shorthand(source) if name == SHORTHAND else parse_document(source)


def error_of(name: str, text: str) -> str:
    with pytest.raises(ScenarioError) as caught:
        parse(name, text)
    return caught.value.render()


def test_the_table_is_read_completely() -> None:
    assert len(ENTRIES) == TABLE.read_text("utf-8").count("==== ") > 150


@pytest.mark.parametrize(
    ("text", "printed"),
    [pytest.param(text, printed, id=title) for title, text, printed in ENTRIES],
)
def test_a_bad_scenario_is_told_its_place_its_fault_and_the_way_out(
    text: str, printed: str
) -> None:
    name = SHORTHAND if printed.startswith(SHORTHAND) else FILE

    assert error_of(name, text) == printed


@pytest.mark.parametrize(
    ("name", "text", "start"),
    [
        (SHORTHAND, "x=1, y=x\u200b+1", "<-e>:1:9: the invisible character (U+200B zero width"),
        (FILE, "title: \x07", "lesson.yaml:1:8: the character U+0007 cannot stand in"),
        (SHORTHAND, "x=2, y=x # \udcff", "<-e>:1:1: U+DCFF is half of a character"),
        (FILE, 'title: "\\ud800"', "lesson.yaml:1:8: U+D800 is half of a character"),
    ],
)
def test_characters_that_cannot_be_seen_are_called_by_their_number(
    name: str, text: str, start: str
) -> None:
    printed = error_of(name, text)

    assert printed.startswith(start)
    assert "delete it" in printed


def test_a_file_that_does_not_exist_is_reported_under_its_name_as_given(tmp_path: Path) -> None:
    path = tmp_path / "nowhere.yaml"

    with pytest.raises(ScenarioError) as caught:
        load(path)

    assert caught.value.render().splitlines()[0] == f"{path}:1:1: there is no such file"


def test_a_folder_is_no_scenario(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="this is a folder, not a scenario file"):
        load(tmp_path)


def test_a_file_that_is_not_utf_8_names_the_first_bad_byte(tmp_path: Path) -> None:
    path = tmp_path / "latin1.yaml"
    path.write_bytes("title: Übung".encode("latin-1"))

    with pytest.raises(ScenarioError, match="not text in UTF-8: byte 7 is 0xdc"):
        load(path)


def test_a_file_that_is_too_large_is_not_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "large.yaml"
    path.write_bytes(b"#" * 10_000_001)

    with pytest.raises(ScenarioError, match="larger than 10 MB"):
        load(path)


def test_a_name_that_no_file_can_have_is_an_error_like_any_other() -> None:
    with pytest.raises(ScenarioError, match="cannot be read: embedded null byte"):
        load("a\0b")


@pytest.mark.parametrize("depth", [101, 100_000])
def test_nesting_beyond_reason_is_refused(depth: int) -> None:
    text = "inputs: {x: " + "[" * depth + "]" * depth + "}\ncompute: y = x\n"

    with pytest.raises(ScenarioError, match="nested more than 100 deep"):
        parse_document(Source(FILE, text))


@pytest.mark.parametrize(
    "parse_text",
    [
        lambda array: parse_shorthand(Source(SHORTHAND, f"x={array}, y=x")),
        lambda array: parse_document(Source(FILE, f"inputs: {{x: {array}}}\ncompute: y = x\n")),
    ],
    ids=["shorthand", "file"],
)
def test_an_array_of_more_than_32_dimensions_is_refused(parse_text) -> None:
    with pytest.raises(ScenarioError, match="at most 32 dimensions"):
        parse_text("[" * 33 + "1" + "]" * 33)


def test_aliases_cannot_blow_a_small_file_up() -> None:
    levels = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    levels += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]

    with pytest.raises(ScenarioError, match="stands for more than 10,000,000 values"):
        parse_document(Source(FILE, "\n".join(levels)))


FRAGMENTS = (
    "x y 2 3.5 2e 0x3 ( ) [ ] + - * / ** @ = == += , ; : ... . ' \" 'a' # \\ ² × θ F True for ? "
    "f( torch. torch.exp( lambda | > - &a *a !!str % ` { } null nan 1e9 -1 ~ --- y@1 inputs: "
    "compute: backward: expect: hints: x.grad: value: of: tolerance: error: gradient: dtype: "
    "with no_grad: torch.no_grad(): import from torch print( print(x) f'{x}' .backward() "
    ".retain_grad() .grad .zero_() torch.tensor( requires_grad=True torch.ones(2) "
    "dtype=torch.float64 torch.manual_seed(1) None "
)
SNIPPETS = st.sampled_from(
    [*FRAGMENTS.split(), " ", "\n", "\n  ", "\t", "\x85", "\ufeff", "\U0001f600"]
)
PASTED = """\
import torch
from torch import nn
torch.manual_seed(1)
x = torch.tensor([2.0, 1.5], requires_grad=True); w = torch.randn(2)
with torch.no_grad():
    a = x * w
    print(f"{a}", a.sum())
h = (x + a) ** 2
h.retain_grad()
h.backward(gradient=torch.ones_like(h), retain_graph=True)
x.grad.zero_()
(h * h).sum().backward()
x.grad = None
print(x.grad)
"""
GOOD = """\
title: Basic
inputs:
  x: 2
  W: {value: [[1, 2], [3, 4]], requires_grad: false}
  Z: {normal: [3, 4], seed: 1}
compute: |
  y = x**2 + 3x + 1  # comment
  y += 2(x+1)[0, 1:2, ...] + torch.exp(x).sum(dim=0)
backward: [y, zero_grad, {of: y@1, gradient: [1, 2]}]
expect: {y: {value: 11, tolerance: 1e-3}, x.grad: [.nan, inf]}
hints: {y: "so \\
  it goes"}
"""


@st.composite
def damaged(draw: st.DrawFn) -> str:
    """A good scenario or program with a few pieces replaced."""
    text = draw(st.sampled_from([GOOD, PASTED]))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        stop = start + draw(st.integers(0, 5))
        text = text[:start] + draw(st.one_of(st.just(""), SNIPPETS)) + text[stop:]
    return text


def outcome_of(name: str, text: str) -> Scenario | ScenarioError:
    try:
        return parse(name, text)
    except ScenarioError as error:
        return error


@given(st.one_of(damaged(), st.lists(SNIPPETS, max_size=25).map("".join), st.text(max_size=40)))
def test_no_text_whatever_gives_anything_but_a_scenario_or_its_error(text: str) -> None:
    for name in (SHORTHAND, FILE, PROGRAM):
        outcome = outcome_of(name, text)

        if isinstance(outcome, Scenario):
            assert outcome.statements
            assert outcome.passes
        else:
            assert outcome.render().startswith(f"{name}:")
            for problem in outcome.problems:
                assert 0 <= problem.span.start <= problem.span.stop
                assert problem.span.start <= len(text)


ADVICE = [
    ("y = x[0.5*x]", "write `torch.tensor([0, 2])`", "make it an input with `dtype: int64`"),
    ("y = x.index_select(0, x)", "write `torch.tensor([0, 2])`", "make it an input with `dtype:"),
    (
        "y = torch.bernoulli(x)",
        "as in `torch.tensor([0, 2, 1])`",
        "write the numbers out under",
    ),
    ("y = x - x.grad", "put it into `print`", "put it under `expect:`"),
    (
        "y = x * [True, False]",
        "write `torch.tensor([True, False])`",
        "make it an input with `dtype",
    ),
    ("y = x.detach().sum() + x", "y.backward(gradient=torch.tensor(…))", "`backward: {of: y, grad"),
]


@pytest.mark.parametrize(("line", "program", "document"), ADVICE)
def test_a_program_is_advised_in_its_own_words_and_a_scenario_file_in_its_own(
    line: str, program: str, document: str
):
    pasted = Source("x.py", f"x = torch.tensor([1., 2.], requires_grad=True)\n{line}\n")
    written = Source("x.yaml", f"inputs: {{x: [1, 2]}}\ncompute: |\n  {line}\n")
    with pytest.raises(ScenarioError) as of_program:
        record(parse_snippet(pasted))
    with pytest.raises(ScenarioError) as of_document:
        record(parse_document(written))
    assert program in str(of_program.value)
    assert document in str(of_document.value)
    assert program not in str(of_document.value)
    assert document not in str(of_program.value)
