"""The installed program in a real pseudo-terminal, read back by a terminal emulator."""

from __future__ import annotations

import re

from tests.e2e.terminal import SCENARIO, program


def test_a_newcomer_steps_to_7_and_leaves_the_terminal_as_it_was(terminal):
    one = terminal(f"stty -g; {program()} {SCENARIO}; echo exit code $?; stty -g")
    one.wait_for("Basic autograd", "0/10", "∂y/∂node")
    one.press("f")
    one.wait_for("forward done: y = 11 · next: backward from y")
    one.press("sssss")
    one.wait_for("3 → 7", "9/10")
    one.press("S")
    one.wait_for("8/10")
    one.press("n")
    one.press("n")
    one.wait_for("the end: all 10 steps done", "x.grad = 7", "10/10")
    one.wait_for("torch 2", "✓")
    one.resize(130, 40)
    one.wait_for("╭─ Chain rule", "╭─ Notes", "x.grad = 7")
    one.resize(60, 16)
    one.wait_for("[Chain rule]", "x.grad = 7")
    one.press("q")
    assert one.finish() == 0
    settings = re.findall(rb"(?:[0-9a-f]+:){10,}[0-9a-f]+", one.output)
    assert len(settings) == 2
    assert settings[0] == settings[1]
    assert b"exit code 0" in one.output
    assert re.findall(rb"\x1b\[\?1049[hl]", one.output)[-1].endswith(b"l")
    assert re.findall(rb"\x1b\[\?25[hl]", one.output)[-1].endswith(b"h")


def test_the_derivative_is_there_as_a_formula(terminal):
    one = terminal(f"{program()} {SCENARIO}")
    one.wait_for("Basic autograd", "0/10")
    one.press("ff\t\t\t")
    one.wait_for("[Symbolic]", "y(x) = x² + 3x + 1", "dy/dx = 2x + 3", "at x = 2")
    assert re.search(r"dy/dx +7 +7 ✓", one.text)
    one.press("q")
    assert one.finish() == 0


def test_an_expression_opens_in_an_ascii_terminal(terminal):
    one = terminal(f"{program()} -e 'x=2, y=x**2+3x+1'", LANG="C")
    one.wait_for("dy/dnode", "%1 = x^2", "0/10")
    assert one.text.isascii()
    one.press("q")
    assert one.finish() == 0


def test_the_bundled_scenarios_are_offered_when_nothing_is_named(terminal):
    one = terminal(program())
    one.wait_for("backprop-tui", "Basic autograd", "q quit")
    one.press("q")
    assert one.finish() == 0


def test_a_bad_scenario_is_shown_and_on_leaving_told_again_with_exit_code_2(terminal, tmp_path):
    bad = tmp_path / "bad.yaml"
    bad.write_text("inputs: {x: 2}\ncompute: y = x^2\n")
    one = terminal(f"{program()} {bad}; echo exit code $?")
    one.wait_for("This scenario cannot be opened", "`^` is not a power here")
    one.press("q")
    assert one.finish() == 0
    assert b"bad.yaml:2:15: `^` is not a power here" in one.output
    assert b"exit code 2" in one.output
