"""The installed program in a real pseudo-terminal, read back by a terminal emulator."""

from __future__ import annotations

import re

import pytest
from tests.e2e.terminal import SCENARIO, program


def test_a_newcomer_steps_to_7_and_leaves_the_terminal_as_it_was(terminal):
    command = f"stty -g; {program()} {SCENARIO}; echo exit code $?; stty -g"
    one = terminal(command, with_torch=True)
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


@pytest.mark.thorough
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


@pytest.mark.thorough
def test_practice_asks_names_the_mistake_and_keeps_what_was_answered(terminal, tmp_path):
    (tmp_path / "cube.yaml").write_text("inputs: {x: 2}\ncompute: y = x**3\nbackward: y\n")
    command = f"{program()} practice {tmp_path}; echo exit code $?"
    one = terminal(command, XDG_STATE_HOME=str(tmp_path))
    one.wait_for("predict", "s asks, step by step")
    one.press("ss")
    one.wait_for("∂y/∂y = 1 · y = x³ sends to x", "0/0 · streak 0", "enter judge · tab hint")
    one.press("x**2\r")
    one.wait_for("✗ a power brings its exponent down")
    one.press("\t")
    one.wait_for("hint 1 of 3: Power rule")
    one.press("\x1b[H3*\r")
    one.wait_for("✓ y sends", "done, 0/1 · streak 0: esc goes on", "x.grad = ")
    one.press("q")
    assert one.finish() == 0
    assert b"exit code 0" in one.output
    (kept,) = tmp_path.rglob("practice.json")
    assert '"exponent": [' in kept.read_text()


def test_what_comes_from_a_pipe_opens_and_the_keys_come_from_the_terminal(terminal):
    one = terminal(f"echo 'x=2, y=x**2+3x+1' | {program()} -; echo exit code $?")
    one.wait_for("∂y/∂node", "0/10")
    one.press("f")
    one.wait_for("forward done: y = 11")
    one.press("E")
    one.wait_for("this scenario has no file to edit: it came from standard input")
    one.press("q")
    assert one.finish() == 0
    assert b"exit code 0" in one.output


@pytest.mark.thorough
def test_a_pipe_with_a_byte_that_is_no_text_is_exit_two(terminal):
    one = terminal(f"printf 'x=2\\ny=x\\351' | {program()} -; echo exit code $?")
    one.wait_for("this is not text in UTF-8")
    one.press("q")
    assert one.finish() == 0
    assert b"-:2:4: this is not text in UTF-8: there is a byte 0xe9" in one.output
    assert b"exit code 2" in one.output


@pytest.mark.thorough
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


LESSON = "title: Mine\ninputs: {x: 2}\ncompute: |\n  y = x**2 + 3x + 1\n"


@pytest.mark.thorough
def test_a_file_saved_in_vim_s_way_is_run_again_and_a_mistake_is_told(terminal, tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(LESSON)

    def save(text):
        (tmp_path / "4913~").write_text(text)
        (tmp_path / "4913~").replace(path)

    one = terminal(f"cd {tmp_path}; {program()} mine.yaml")
    one.wait_for("Mine", "0/10")
    one.press("ff")
    one.wait_for("x.grad = 7", "10/10")
    save(LESSON.replace("3x", "5x"))
    one.wait_for("x.grad = 9", "10/10", "read again")
    save(LESSON.replace("3x", "5z"))
    one.wait_for("mine.yaml:4:15: unknown name `z`", "x.grad = 9")
    one.press("R")
    one.wait_for("What was saved cannot be opened", "^")
    save(LESSON)
    one.wait_for("x.grad = 7")
    assert "unknown name" not in one.text
    one.press("q")
    assert one.finish() == 0


@pytest.mark.thorough
def test_breakpoints_and_watches_are_there_after_a_restart_and_not_with_fresh(terminal, tmp_path):
    (tmp_path / "mine.yaml").write_text(LESSON)
    command = f"cd {tmp_path}; {program()} mine.yaml"
    one = terminal(command)
    one.wait_for("Mine", "0/10")
    one.press("b")
    one.wait_for("breakpoint on %1")
    one.press("w")
    one.wait_for("an expression over names")
    one.press("x.grad*2\r")
    one.wait_for("[Watches]", "x.grad*2")
    one.press("q")
    assert one.finish() == 0
    one = terminal(command)
    one.wait_for("[Watches]", "x.grad*2", "■")
    one.press("q")
    assert one.finish() == 0
    one = terminal(f"{command} --fresh")
    one.wait_for("[Chain rule]", "0/10")
    assert "■" not in one.text
    one.press("q")
    assert one.finish() == 0


def test_the_editor_gets_the_terminal_and_what_it_saves_is_run(terminal, tmp_path):
    (tmp_path / "mine.yaml").write_text(LESSON)
    editor = tmp_path / "vi"
    editor.write_text('#!/bin/sh\nsed -i "s/x: 2/x: 4/" "$2"\necho "editing $1 $2"\nread line\n')
    editor.chmod(0o755)
    one = terminal(f"cd {tmp_path}; {program()} mine.yaml", EDITOR=str(editor))
    one.wait_for("Mine", "0/10")
    one.press("f")
    one.wait_for("y = 11")
    one.press("E")
    one.wait_for("editing +4 mine.yaml")
    one.press("\r")
    one.wait_for("forward done: y = 29", "4/10")
    one.press("q")
    assert one.finish() == 0


@pytest.mark.thorough
def test_an_editor_that_fails_is_told_and_the_screen_comes_back(terminal, tmp_path):
    (tmp_path / "mine.yaml").write_text(LESSON)
    editor = tmp_path / "my editor"
    one = terminal(f"cd {tmp_path}; exec {program()} mine.yaml", VISUAL="'./my editor' -f")
    one.wait_for("Mine", "0/10")

    def is_told(*texts):
        one.press("s")
        while "my editor" in one.text:
            assert one.read()
        one.press("E")
        one.wait_for("Mine", *texts)

    is_told("./my editor cannot be started: No such file", "set $VISUAL")
    editor.mkdir()
    is_told("my editor cannot be started: Permission denied", "set $VISUAL to the editor")
    editor.rmdir()
    editor.write_text("#!/bin/sh\n")
    is_told("my editor cannot be started: Permission denied", "set $VISUAL to the editor")
    editor.write_text("#!/bin/sh\nkill -9 $$\n")
    editor.chmod(0o755)
    is_told("my editor was ended by SIGKILL")
    editor.write_text("#!/bin/sh\nexit 3\n")
    is_told("my editor ended with exit code 3")
    # ^C and ^\ are typed to the editor, and end only that.
    for key, name in (("\x03", "SIGINT"), ("\x1c", "SIGQUIT")):
        script = f'ulimit -c 0; echo "$1 $2 waits for {name}"; exec sleep 600'
        editor.write_text(f"#!/bin/sh\n{script}\n")
        one.press("E")
        one.wait_for(f"-f mine.yaml waits for {name}")
        one.press(key)
        one.wait_for("Mine", f"my editor was ended by {name}")
    one.press("rf")
    one.wait_for("forward done: y = 11", "4/10")
    one.press("q")
    assert one.finish() == 0


@pytest.mark.thorough
def test_what_is_typed_in_one_go_reaches_the_prompt_that_it_opens(terminal):
    one = terminal(f"{program()} {SCENARIO}")
    one.wait_for("Basic autograd", "0/10")
    one.press("g7\r")
    one.wait_for("7/10")
    one.press("wx.grad\r/Mul\rg3\r")
    one.wait_for("3/10", "[Watches]", "x.grad")
    one.press("s" * 200)
    one.wait_for("10/10")
    one.press("q")
    assert one.finish() == 0
