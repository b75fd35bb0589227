"""`backprop-tui trace`: every step as text and as JSON."""

from __future__ import annotations

import io
import sys

import pytest

from backprop_tui.cli import main
from backprop_tui.opening.bundled import bundled_scenarios

LECTURE = "x=2, y=x**2+3x+1"
KEYS = {
    "step", "pass", "pass_name", "kind", "node", "operand", "value", "contribution",
    "total_after", "formula", "text",
}  # fmt: skip


def test_the_lecture_example_reads_like_the_lecture(run):
    code, out, err = run("trace", "-e", LECTURE)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == LECTURE
    assert "  0  %1 = x²       2² = 4       PowBackward0" in lines
    assert "  9  %1 → x   ∂%1/∂x = 2·x  1 × 4 = 4  ∂y/∂x: 3 → 3 + 4 = 7" in lines
    assert lines[-1].strip() == "x.grad = 7"


def test_every_step_has_a_line_and_columns_align(run):
    _, out, _ = run("trace", "-e", LECTURE)
    steps = [line for line in out.splitlines() if line[:3].strip().isdigit()]
    assert [int(line[:3]) for line in steps] == list(range(10))
    contributions = steps[5:]
    assert len({line.index("∂", 12) for line in contributions}) == 1
    assert len({line.index("×") for line in contributions}) == 1


@pytest.mark.parametrize("path", sorted(bundled_scenarios().glob("*.yaml")), ids=lambda p: p.stem)
def test_bundled_scenarios_keep_to_eighty_columns(run, path):
    code, out, _ = run("trace", str(path))
    assert code == 0
    _, *lines = out.splitlines()  # the first line has the path, which is as long as it is
    assert max(map(len, lines)) <= 80


def test_each_step_is_an_object_with_these_keys(run_json):
    code, steps, _ = run_json("trace", "--json", "-e", LECTURE)
    assert code == 0
    assert all(step.keys() == KEYS for step in steps)
    assert [step["step"] for step in steps] == list(range(10))
    assert [step["pass"] for step in steps] == [0] * 4 + [1] * 6
    assert [step["kind"] for step in steps] == ["forward"] * 4 + ["seed"] + ["contribution"] * 5
    assert steps[3]["value"] == 11
    assert (steps[3]["contribution"], steps[3]["total_after"], steps[3]["operand"]) == (None,) * 3
    last = steps[-1]
    assert (last["node"], last["operand"], last["value"]) == ("%1", "x", 4)
    assert (last["contribution"], last["total_after"]) == (4, 7)
    assert last["formula"] == "∂%1/∂x = 2·x"
    assert "1 × 4 = 4" in last["text"]
    assert "3 → 3 + 4 = 7" in last["text"]


def test_a_seed_is_sent_by_nobody_and_held_by_the_output(run_json):
    _, steps, _ = run_json("trace", "--json", "-e", LECTURE)
    seed = steps[4]
    assert (seed["node"], seed["operand"]) == ("y", None)
    assert (seed["contribution"], seed["total_after"], seed["pass_name"]) == (1, 1, "backward y")


def test_zero_grad_is_a_step_without_a_node(run, run_json, scenario):
    text = "inputs: {x: 3}\ncompute: y = x**2\nbackward: [y, zero_grad, y]\n"
    name = scenario("zero.yaml", text)
    _, steps, _ = run_json("trace", "--json", name)
    (cleared,) = [step for step in steps if step["kind"] == "zero_grad"]
    assert (cleared["node"], cleared["value"], cleared["pass"]) == (None, None, 2)
    _, out, _ = run("trace", name)
    grads = [line.split(" = ")[1] for line in out.splitlines() if "x.grad =" in line]
    assert grads == ["6", "None", "6"]


def test_arrays_are_nested_lists_and_what_is_not_finite_a_string(run_json):
    _, steps, _ = run_json("trace", "--json", "-e", "x=[1, 0], y=log(x), z=y.sum()")
    assert steps[0]["value"] == [0, "-inf"]
    assert steps[-1]["contribution"] == [1, "inf"]


def test_a_broadcast_is_explained(run):
    _, out, _ = run("trace", "-e", "X=[[1, 2], [3, 4]], b=[1, 2], y=(X + b).sum()")
    assert "summed over axis 0 because b was broadcast" in " ".join(out.split())


def test_a_bad_scenario_goes_to_standard_error(run):
    code, out, err = run("trace", "-e", "x=2, y=x^2")
    assert (code, out) == (2, "")
    assert err.startswith("<-e>:1:9: ")


@pytest.mark.parametrize("arguments", [[], ["a.yaml", "b.yaml"], ["a.yaml", "-e", "x=1, y=x"]])
def test_trace_takes_exactly_one_scenario(run, arguments):
    code, out, err = run("trace", *arguments)
    assert (code, out) == (2, "")
    assert "one scenario" in err


def test_a_terminal_without_mathematics_gets_ascii(monkeypatch):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    assert main(["trace", "-e", "x=[1, 2, 3, 4, 5, 6, 7], y=(x**2).sum()"]) == 0
    text = raw.getvalue().decode("ascii")
    assert "dy/d%1" in text
    assert "x^2" in text
    assert "?" not in text


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def test_colour_is_for_terminals_that_want_it(monkeypatch, run):
    assert "\x1b[" not in run("trace", "-e", LECTURE)[1]
    for variable, coloured in [("UNRELATED", True), ("NO_COLOR", False)]:
        monkeypatch.setenv(variable, "1")
        terminal = Terminal()
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", terminal)
            assert main(["trace", "-e", LECTURE]) == 0
        assert ("\x1b[" in terminal.getvalue()) == coloured


def test_the_gradient_of_a_value_without_a_name_is_that_of_its_text_in_brackets(run):
    text = "x=2, y=3/(x.detach()*2).requires_grad_()"
    assert "(x.detach()*2).grad = " in run("trace", "-e", text)[1]
    assert "(x.detach()*2).grad " in run("check", "--no-torch", "--no-symbolic", "-e", text)[1]
