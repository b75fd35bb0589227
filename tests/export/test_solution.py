"""`export -o FILE.tex` and `.md`: a worked solution that compiles, whatever a scenario says."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from tests.export.hostile import hostile_trace

from backprop_engine.basics.source import Source
from backprop_engine.run.record import record
from backprop_engine.scenarios.loader import load, load_target
from backprop_engine.trace import Trace
from backprop_tui.export.lesson import lesson_of
from backprop_tui.export.solution import as_latex, as_markdown

BUNDLE = Path(__file__).parents[2] / "scenarios"


def bundled(name: str) -> Trace:
    return record(load(BUNDLE / f"{name}.yaml"))


def latex_of(trace: Trace) -> str:
    return as_latex(lesson_of(trace)).decode()


def markdown_of(trace: Trace) -> str:
    return as_markdown(lesson_of(trace)).decode()


@pytest.mark.parametrize("written", [latex_of, markdown_of])
def test_the_last_step_is_worked_out(written) -> None:
    solution = written(record(load_target(Source("<-e>", "x=2, y=x**2+3x+1"))))
    assert r"\frac{\partial v_{1}}{\partial x} &= 2\cdot x = 2 \cdot 2 = 4 \\" in solution
    assert r"\frac{\partial y}{\partial x} &= 3 + 4 = 7" in solution
    assert "Power rule: the exponent comes down as a factor and drops by one." in solution
    assert r"x.\mathrm{grad} &= 7" in solution
    assert "%1" not in solution


def test_arrays_are_matrices_in_their_product() -> None:
    solution = latex_of(bundled("lesson-07-broadcast"))
    matrix = r"\begin{pmatrix} 1 & 2 \\ 3 & 4 \\ 5 & 6 \end{pmatrix}"
    assert f"X &= {matrix}" in solution
    assert rf"\end{{pmatrix}} \odot {matrix} = {matrix}" in solution


def test_a_gradient_is_told_as_such_when_all_of_it_has_come() -> None:
    solution = latex_of(record(load_target(Source("<-e>", "x=2, y=x**2+3x+1"))))
    assert r"\frac{\partial y}{\partial x} &= 3 + \cdots" in solution
    rows = latex_of(record(load_target(Source("<-e>", "x=[1,2], y=(x**2+3x).sum()"))))
    three, two, both = (
        rf"\begin{{pmatrix}} {row} \end{{pmatrix}}" for row in ("3 & 3", "2 & 4", "5 & 7")
    )
    assert rf"= {three} + \cdots" in rows
    assert rf"= {two} + \cdots" in rows
    assert rf"\frac{{\partial y}}{{\partial x}} &= {three} + {two} = {both}" in rows


def test_names_are_mathematics_in_words_too() -> None:
    solution = latex_of(record(load_target(Source("<-e>", "a=2, x_1=a*3, y=x_1*x_1"))))
    assert r"from $y$ to $\mathrm{x\_1}$" in solution
    assert r"($\mathrm{x\_1}$ stands in 2 places" in solution
    assert "a value changes exactly as much" in solution


@pytest.mark.parametrize("written", [latex_of, markdown_of])
@pytest.mark.parametrize("name", ["basic", "lesson-07-broadcast", "lesson-09-accumulate", ""])
def test_braces_and_environments_balance(written, name: str) -> None:
    solution = re.sub(r"\\[\\{}]", "", written(bundled(name) if name else hostile_trace()))
    depth = 0
    for sign in re.findall(r"[{}]", solution):
        depth += 1 if sign == "{" else -1
        assert depth >= 0
    assert depth == 0
    ends = re.findall(r"\\(begin|end)\{(\w+\*?)\}", solution)
    stack: list[str] = []
    for what, environment in ends:
        if what == "begin":
            stack.append(environment)
        else:
            assert stack.pop() == environment
    assert stack == []


def test_latex_of_a_hostile_scenario_is_ascii_without_commands_of_its_own() -> None:
    solution = latex_of(hostile_trace())
    assert solution.isascii()
    assert re.sub(r"[\n -~]", "", solution) == ""
    commands = set(re.findall(r"\\([a-zA-Z]+)", solution))
    assert commands <= {
        "documentclass", "usepackage", "allowdisplaybreaks", "setlength", "parindent", "begin",
        "end", "section", "subsection", "textbf", "textbackslash", "text", "frac", "partial",
        "cdot", "cdots", "times", "mathrm", "parskip",
    }  # fmt: skip


def test_markdown_of_a_hostile_scenario_has_no_tag_link_or_code() -> None:
    html = MarkdownIt("commonmark", {"html": True}).render(markdown_of(hostile_trace()))
    assert set(re.findall(r"<(\w+)", html)) <= {"h1", "h2", "p", "strong", "br", "em"}


@pytest.mark.parametrize("name", ["exercises/15-two-layers", ""])
def test_it_compiles_and_keeps_to_the_page(name: str, tmp_path: Path) -> None:
    if shutil.which("pdflatex") is None:
        pytest.skip("there is no pdflatex here")
    file = tmp_path / "solution.tex"
    file.write_text(latex_of(bundled(name) if name else hostile_trace()), encoding="ascii")
    command = [
        "pdflatex",
        "-interaction=nonstopmode",
        "-halt-on-error",
        "-no-shell-escape",
        "-draftmode",  # no fonts are made, which takes seconds
        str(file),
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    assert not name or "Overfull" not in done.stdout
