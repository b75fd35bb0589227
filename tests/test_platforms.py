"""Nothing of ours needs what only POSIX has: as far as Windows can be tested without Windows."""

from __future__ import annotations

import subprocess
import sys

import pytest

# The libraries are imported first: what they need on Windows they know themselves. SIGKILL stays,
# as the standard library of this system needs it.
WITHOUT_POSIX = """
import importlib, os, pkgutil, signal, sys
import asyncio, ctypes, numpy, ruamel.yaml, lark, subprocess, textual.app, textual.widgets
import textual.drivers.linux_driver, textual.widgets._markdown
for module in ("fcntl", "termios", "tty", "pty", "resource", "pwd", "grp"):
    sys.modules[module] = None
for name in ("SIGHUP", "SIGTSTP", "SIGCONT", "SIGSTOP", "SIGPIPE", "SIGUSR1", "SIGALRM"):
    delattr(signal, name)
for name in ("fork", "geteuid", "getuid", "getpgid", "killpg", "setsid", "sched_getaffinity"):
    delattr(os, name)
import backprop_engine, backprop_tui
for package in (backprop_engine, backprop_tui):
    for one in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if one.name != "backprop_tui.app.terminal":  # on Windows Textual has another driver
            importlib.import_module(one.name)
sys.platform = "win32"
"""


def in_such_a_place(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", WITHOUT_POSIX + code, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_every_module_is_imported_without_what_only_posix_has() -> None:
    done = in_such_a_place("print(sum(name.startswith('backprop') for name in sys.modules))")
    assert done.stderr == ""
    assert int(done.stdout) > 100


def test_the_command_line_works_there(tmp_path) -> None:
    code = (
        "from backprop_tui.cli import main\nfrom backprop_tui.headless import run\n"
        "run.FEW = 0; assert run.cores() == os.cpu_count(); run.cores = lambda: 2\n"
        "codes = [main(['check', '--no-torch', '--no-symbolic', *sys.argv[1:]]),\n"
        "         main(['trace', '-e', 'x=2, y=x**2'])]\nsys.exit(codes != [0, 0])"
    )
    folder = tmp_path / "a folder"
    folder.mkdir()
    for name in "ab":
        (folder / f"{name}.yaml").write_text("inputs: {x: 2}\r\ncompute: y = x*x\r\n", "utf-8")
    done = in_such_a_place(code, str(folder))
    assert (done.returncode, done.stderr) == (0, "")
    assert "2 scenarios, 2 ok" in done.stdout


@pytest.mark.thorough
def test_a_childs_death_is_told_there_by_its_exit_code() -> None:
    code = (
        "from backprop_tui.oracles.process import Child, Role\n"
        "role = Role('torch', 'torch', 'Go on.')\n"
        "child = Child(role, [sys.executable, '-c', 'raise SystemExit(1)'])\n"
        "print(child.ask({}, dict, 60).reason); child.close()"
    )
    done = in_such_a_place(code)
    assert (done.stdout, done.stderr) == ("The torch process ended with exit code 1.\n", "")


@pytest.mark.thorough
def test_the_oracles_own_process_serves_there() -> None:
    code = (
        "from backprop_tui.oracles import serving\n"
        "serving.run(lambda request: {'unavailable': 'x'})"
    )
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_POSIX + code],
        input='{"request": 1}\n',
        capture_output=True,
        text=True,
        timeout=60,
    )
    # The end of the input may come before the answer is out; then there is none.
    assert done.stdout in ("", '{"unavailable":"x","request":1}\n')
    assert (done.returncode, done.stderr) == (0, "")


def test_a_scenario_may_have_been_written_with_any_line_ends(tmp_path) -> None:
    from backprop_engine.run.record import record
    from backprop_engine.scenarios.loader import load

    path = tmp_path / "dos.yaml"
    path.write_bytes(b"title: x\r\ninputs: {x: 2}\r\ncompute: |\r\n  y = x*x\r\n  z = y+1\r\n")
    assert list(record(load(str(path))).assigned) == ["y", "z"]
