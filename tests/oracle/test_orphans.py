"""However our process ends, the oracles' processes end with it, even while they compute."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from backprop_engine.basics.source import Source
from backprop_engine.run.record import record
from backprop_engine.scenarios.loader import parse_shorthand
from backprop_tui.oracles.client import Oracle

PATIENCE = 30
TRACE = record(parse_shorthand(Source("<-e>", "x=2, y=x**2")))

# A child that serves as the real ones do, and computes for ever.
BUSY = """
import os, pathlib, sys
from backprop_tui.oracles.serving import run
def answer(request):
    pathlib.Path("child").write_text(str(os.getpid()) + chr(10))
    {computation}
run(answer)
"""
IN_PYTHON = "while True: pass"
# No thread of ours runs while a regular expression is matched.
IN_C = "import re; re.match('(a*)*b', 'a' * 60)"

PARENT = """
import sys
from backprop_engine.run.record import record
from backprop_engine.scenarios.loader import parse_shorthand
from backprop_engine.basics.source import Source
from backprop_tui.oracles.client import Oracle
trace = record(parse_shorthand(Source("<-e>", "x=2, y=x**2")))
Oracle(command=[sys.executable, "-c", {child!r}]).ask(trace)
"""


def wait_for(condition):
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def is_alive(pid):
    """Whether it runs; a process that has ended and that nobody has waited for does not."""
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def pid_in(path):
    wait_for(lambda: path.exists() and path.read_text().endswith("\n"))
    return int(path.read_text())


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(
    ("name", "computation"),
    [
        *((name, IN_PYTHON) for name in ("SIGTERM", "SIGHUP", "SIGINT", "SIGSEGV")),
        ("SIGKILL", IN_C),
    ],
)
def test_a_child_that_computes_ends_with_its_parent(tmp_path, name, computation):
    code = PARENT.format(child=BUSY.format(computation=computation))
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, stderr=subprocess.DEVNULL)
    child = pid_in(tmp_path / "child")
    assert is_alive(child)
    parent.send_signal(getattr(signal, name))
    parent.wait(PATIENCE)
    wait_for(lambda: not is_alive(child))


def test_the_end_of_its_input_ends_a_child_that_computes_on_every_platform(tmp_path):
    code = BUSY.format(computation=IN_PYTHON)
    portable = f"import sys; sys.platform = 'other'\n{code}"
    child = subprocess.Popen(
        [sys.executable, "-c", portable], cwd=tmp_path, stdin=subprocess.PIPE, text=True
    )
    child.stdin.write('{"request": 1}\n')
    child.stdin.flush()
    assert pid_in(tmp_path / "child") == child.pid
    child.stdin.close()
    assert child.wait(PATIENCE) == 0


def test_a_parent_that_raises_while_a_child_computes_ends_at_once(tmp_path):
    code = PARENT.replace("Oracle(", "ask = Oracle(").replace(".ask(trace)", ".ask")
    code += (
        "import threading, pathlib, time\n"
        "threading.Thread(target=ask, args=(trace,), daemon=True).start()\n"
        "while not pathlib.Path('child').exists(): time.sleep(0.01)\n"
        "raise RuntimeError('a crash')\n"
    )
    code = code.replace("{child!r}", repr(BUSY.format(computation=IN_PYTHON)))
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, timeout=PATIENCE
    )
    assert done.returncode == 1
    child = pid_in(tmp_path / "child")
    wait_for(lambda: not is_alive(child))


def test_an_idle_child_notices_nothing_of_a_thread_that_ends(tmp_path):
    """The kernel's signal comes when a thread ends; the one that matters lives as long as we do."""
    code = PARENT.replace("Oracle(", "oracle = Oracle(").replace(".ask(trace)", "")
    code = code.replace("{child!r}", repr(BUSY.format(computation="return {'unavailable': 'x'}")))
    code += (
        "import threading\nanswers = []\n"
        "for _ in range(3):\n"
        "    one = threading.Thread(target=lambda: answers.append(oracle.ask(trace)))\n"
        "    one.start(); one.join()\n"
        "sys.exit(len({oracle._child._life.process.pid}) != 1 or 'cannot' not in answers[2].reason)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=tmp_path).returncode == 0


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_what_a_child_has_started_ends_with_it(tmp_path):
    code = (
        "import pathlib, subprocess, sys, time; sys.stdin.readline()\n"
        "started = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        f"pathlib.Path({str(tmp_path / 'child')!r}).write_text(f'{{started.pid}}\\n')\n"
        "time.sleep(600)"
    )
    with Oracle(command=[sys.executable, "-c", code], time_limit=PATIENCE) as oracle:
        asking = threading.Thread(target=oracle.ask, args=(TRACE,), daemon=True)
        asking.start()
        grandchild = pid_in(tmp_path / "child")
        assert is_alive(grandchild)
    asking.join(PATIENCE)
    wait_for(lambda: not is_alive(grandchild))


@pytest.mark.skipif(os.name != "posix", reason="signals of a terminal")
@pytest.mark.parametrize(
    "asked", ["signal.SIGINT in signal.pthread_sigmask(0, [])", "os.getpgrp() == os.getpid()"]
)
def test_ctrl_c_is_left_to_the_parent_while_the_child_starts(asked):
    code = f"import json, os, signal; print(json.dumps({{'request': 1, 'error': {asked}}}))"
    with Oracle(command=[sys.executable, "-c", code]) as oracle:
        answer = oracle.ask(TRACE)
    assert "could not run this program (True)" in getattr(answer, "reason", "")
