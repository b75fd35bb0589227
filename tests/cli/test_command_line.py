"""What is common to all commands: usage, help, streams, interruption."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

import pytest
from tests.thorough import share

from backprop_tui import cli
from backprop_tui.cli import main
from backprop_tui.headless import run as headless

PROGRAM = [sys.executable, "-m", "backprop_tui"]


@pytest.mark.parametrize("command", [[], ["check"], ["trace"]])
def test_help_shows_examples_and_exits_with_zero(run, command):
    code, out, err = run(*command, "--help")
    assert (code, err) == (0, "")
    assert "examples:" in out
    assert "-e 'x=2, y=x**2+3x+1'" in out


@pytest.mark.parametrize("command", ["", *cli._COMMANDS])
def test_help_prints_anywhere_and_fits_a_terminal(run, command):
    out = run(*command.split(), "--help")[1]
    assert out.isascii()
    assert max(map(len, out.splitlines())) <= 80


def test_the_version_is_that_of_the_package(run):
    assert run("--version") == (0, f"backprop-tui {version('backprop-tui')}\n", "")


@pytest.mark.parametrize(
    "arguments",
    [["--nonsense"], ["check", "--jsn", "a.yaml"], ["trace", "-e"], ["check", "--no", "a.yaml"]],
)
def test_wrong_usage_is_exit_two_on_standard_error(run, arguments):
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert "usage: backprop-tui" in err


@pytest.mark.parametrize("arguments", [[], ["basic.yaml"], ["-e", "x=1, y=x"], ["."]])
def test_without_a_terminal_there_is_a_hint_at_check_and_trace(run, arguments):
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert "check" in err
    assert "trace" in err


def test_a_file_that_does_not_exist_does_not_open_the_screen(run, monkeypatch):
    monkeypatch.setattr(cli, "_at_a_terminal", lambda: True)
    code, out, err = run("nowhere.yaml")
    assert (code, out) == (2, "")
    assert "nowhere.yaml: there is no such file" in err


def test_only_one_scenario_is_opened_at_a_time(run):
    code, _, err = run("a.yaml", "b.yaml")
    assert code == 2
    assert "one scenario at a time" in err


def test_a_text_may_start_with_a_minus_sign_or_stand_after_two(run, scenario):
    assert run("trace", "-e", "-2, y=x")[2].startswith("<-e>:1:")
    scenario("-odd.yaml", "inputs: {x: 2}\ncompute: y = x*x\n")
    assert run("trace", "--", "-odd.yaml")[0] == 0


def test_an_interrupted_command_exits_with_130(monkeypatch, run):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(headless, "check", interrupted)
    assert run("check", "-e", "x=1, y=x") == (130, "", "")


def test_ctrl_c_while_torch_is_thinking_ends_both_processes(tmp_path):
    child = (
        "import os, time\nfrom backprop_tui.oracles.serving import run\n"
        "def answer(request):\n"
        "    print(os.getpid(), file=open('pid', 'w'))\n"
        "    time.sleep(600)\n"
        "run(answer)"
    )
    code = (
        "import sys\nfrom functools import partial\n"
        "from backprop_tui.headless import run as headless\nfrom backprop_tui.cli import main\n"
        "from backprop_tui.oracles.client import Oracle\n"
        f"headless.Oracle = partial(Oracle, command=[sys.executable, '-c', {child!r}])\n"
        "sys.exit(main(['check', '-e', 'x=1, y=x*x']))"
    )
    running = subprocess.Popen(
        [sys.executable, "-c", code], cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.PIPE
    )
    deadline = time.monotonic() + 60
    while not ((tmp_path / "pid").exists() and (tmp_path / "pid").read_text().endswith("\n")):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=60)
    assert (running.returncode, err) == (130, b"interrupted: 0 of 1 scenarios are checked\n")
    pid = int((tmp_path / "pid").read_text())
    while is_there(pid):  # interrupted as it starts its child, the program leaves it a closed pipe
        assert time.monotonic() < deadline
        time.sleep(0.02)


def is_there(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_reader_that_stops_reading_is_no_reason_to_complain():
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [*PROGRAM, "trace", "-e", "x=2, y=x**2"], stdout=writing, stderr=subprocess.PIPE, timeout=60
    )
    os.close(writing)
    assert done.stderr == b""
    assert done.returncode == 141


def test_the_module_is_the_program():
    done = subprocess.run([*PROGRAM, "--version"], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("backprop-tui ")


def test_help_and_usage_errors_import_nothing_slow():
    code = (
        "import sys\nfrom backprop_tui.cli import main\n"
        "main(['--help'])\nmain(['check'])\nmain([])\n"
        "sys.exit(any(name in sys.modules for name in ('numpy', 'textual', 'rich', 'torch')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60)
    assert done.returncode == 0


def test_check_and_trace_never_import_the_screen():
    code = (
        "import sys\nfrom backprop_tui.cli import main\n"
        "main(['check', '--no-torch', '-e', 'x=1, y=x'])\nmain(['trace', '-e', 'x=1, y=x'])\n"
        "sys.exit(any(name in sys.modules for name in ('textual', 'torch')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60)
    assert done.returncode == 0


def test_main_takes_its_arguments_from_the_command_line_by_default(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["backprop-tui", "--version"])
    assert main() == 0
    assert capsys.readouterr().out.startswith("backprop-tui ")


SNIPPET = """\
import torch
x = torch.tensor(2.0, requires_grad=True)
y = x ** 2 + 3 * x + 1
y.backward()
print(x.grad)
"""


@pytest.mark.parametrize("arguments", [["-e", "@snippet.py"], ["snippet.py"]])
def test_a_snippet_of_pytorch_is_read_from_its_file(run, scenario, arguments):
    scenario("snippet.py", SNIPPET)
    code, out, err = run("trace", *arguments)
    assert (code, err) == (0, "")
    assert "x.grad = 7" in out


def test_a_mistake_in_a_snippet_is_told_with_its_line(run, scenario):
    scenario("snippet.py", SNIPPET.replace("print(x.grad)", "optimizer.step()"))
    code, out, err = run("trace", "-e", "@snippet.py")
    assert (code, out) == (2, "")
    assert err.startswith("snippet.py:5:11: `step` is not supported; one program shows one step")
    assert err.endswith("to run it and record what it really does: backprop-tui run snippet.py\n")


def test_a_snippet_that_does_not_exist_is_told_by_its_name(run):
    code, _, err = run("check", "--no-torch", "-e", "@nowhere.py")
    assert code == 2
    assert err.startswith("nowhere.py:1:1: there is no such file")
    assert "backprop-tui run" not in err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
@pytest.mark.parametrize(
    "command",
    [
        "trace -e x=2,y=x*x",
        "check --no-torch --no-symbolic -e x=2,y=x*x",
        "--help",
        "--version",
        "check --help",
        "ops",
        "config",
    ][:: share(usual=3, thorough=1)],
)
def test_output_that_cannot_be_written_is_told_and_is_no_success(command):
    # Written at once as well as at the end: Python's parser of arguments says nothing of the first.
    unbuffered = "-u" if "help" in command else ""
    done = subprocess.run(
        f"{sys.executable} {unbuffered} -m backprop_tui {command} > /dev/full",
        shell=True,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert done.returncode == 1
    assert done.stderr == ("backprop-tui: the output cannot be written: No space left on device\n")


@pytest.mark.skipif(os.name != "posix", reason="a shell's redirections")
@pytest.mark.parametrize("streams", ["<&-", "2>&-", ">&-", ">&- 2>&- <&-"][:: share(3, 1)])
def test_closed_streams_are_no_reason_to_complain(streams):
    program = f"{sys.executable} -m backprop_tui"
    for command in (f"{program} trace -e 'x=2, y=x*x'", f"! {program} -e 'x=2, y=x*x'"):
        done = subprocess.run(f"{command} {streams}", shell=True, capture_output=True, text=True)
        assert done.returncode == 0
        assert "Traceback" not in done.stderr
