"""`backprop-tui check` of many scenarios: a process for each core, and the same output."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from backprop_tui.headless import run as headless
from backprop_tui.headless.printer import Printer
from backprop_tui.headless.run import Progress
from backprop_tui.headless.workers import How, many_outcomes

BASIC = "inputs: {x: 2}\ncompute: y = x**2 + 3x + 1\n"
ARRAYS = "title: Ünïcode\ninputs: {X: {normal: [3, 2]}}\ncompute: y = tanh(X).sum()\n"
WRONG = "inputs: {x: 2}\ncompute: y = relu(x - 2)\nexpect: {y: 5}\n"
BROKEN = "inputs: {x: 2}\ncompute: y = x^2\n"
PATIENCE = 60


@pytest.fixture
def several(scenario):
    texts = [BASIC, ARRAYS, WRONG, BROKEN, BASIC]
    names = [scenario(f"{at}.yaml", text) for at, text in enumerate(texts)]
    return [*names[:2], "nowhere.yaml", "-e", "x=-1, y=log(x)", *names[2:]]


@pytest.fixture
def in_processes(monkeypatch):
    """Nothing is few, and there are two cores."""

    def turn_on():
        monkeypatch.setattr(headless, "FEW", 0)
        monkeypatch.setattr(headless, "cores", lambda: 2)

    return turn_on


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_in_many_processes_every_word_is_the_same(run, several, in_processes, options):
    alone = run("check", *options, *several)
    in_processes()
    assert run("check", *options, *several) == alone
    assert alone[0] == 2


def test_without_oracles_they_say_so_there_too(run, several, in_processes):
    options = ("--json", "--no-torch", "--no-symbolic")
    alone = run("check", *options, *several)
    in_processes()
    assert run("check", *options, *several) == alone


def test_a_process_that_is_killed_costs_one_scenario_and_no_other(scenario):
    code = (
        "import os\nfrom backprop_tui.headless import worker\ncheck = worker.check_scenario\n"
        "def fatal(target, *oracles, **how):\n"
        "    if target == 'fatal.yaml': os.kill(os.getpid(), 9)\n"
        "    return check(target, *oracles, **how)\n"
        "worker.check_scenario = fatal\nworker.main()"
    )
    command = [sys.executable, "-c", code]
    names = [scenario(name, BASIC) for name in ("a.yaml", "fatal.yaml", "b.yaml", "c.yaml")]
    how = How(json=True, symbolic=False, out=Printer(io.StringIO(), False, False, 80))
    with many_outcomes(names, how, None, workers=1, command=command) as outcomes:
        done = list(outcomes)
    told = [json.loads(one.printed) for one in done]
    assert [one["scenario"] for one in told] == names
    assert [one["ok"] for one in told] == [True, False, True, True]
    assert "SIGKILL" in told[1]["errors"][0]["message"]
    assert "fatal.yaml: The check process was ended by SIGKILL" in done[1].complaint


def test_processes_that_cannot_start_are_told_for_each_scenario():
    how = How(json=False, symbolic=False, out=Printer(io.StringIO(), False, False, 80))
    targets = ["a.yaml", "b.yaml"]
    with many_outcomes(targets, how, None, workers=2, command=["/nowhere"]) as outcomes:
        assert all("could not be started" in outcome.complaint for outcome in outcomes)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_ctrl_c_keeps_what_is_done_and_leaves_no_process(scenario, tmp_path):
    """Torch thinks for ever about a sine."""
    texts = [BROKEN] * 2 + [BASIC.replace("3x", "sin(x)")] * 6
    names = [scenario(f"{at}.yaml", text) for at, text in enumerate(texts)]
    child = (
        "import time\nfrom backprop_tui.oracles.serving import run\n"
        "def answer(request):\n"
        "    if 'sin' in request['operations']['names']: time.sleep(600)\n"
        "    return {'error': 'no'}\n"
        "run(answer)"
    )
    code = (
        "import sys\nfrom functools import partial\nfrom backprop_tui.cli import main\n"
        "from backprop_tui.headless import run\nfrom backprop_tui.oracles.client import Oracle\n"
        "run.FEW, run.cores = 0, lambda: 2\n"
        f"run.Oracle = partial(Oracle, command=[sys.executable, '-c', {child!r}])\n"
        f"sys.exit(main(['check', '--json', '--no-symbolic', *{names!r}]))"
    )
    running = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        bufsize=0,
    )
    kept = [running.stdout.readline() for _ in range(2)]
    os.killpg(running.pid, signal.SIGINT)
    out, err = running.communicate(timeout=PATIENCE)
    assert (running.returncode, out) == (130, b"")
    assert [json.loads(line)["scenario"] for line in kept] == names[:2]
    # The second is printed; it may not have been counted yet.
    assert re.search("\ninterrupted: [12] of 8 scenarios are checked\n$", err.decode())
    assert b"Traceback" not in err
    end = time.monotonic() + PATIENCE
    while list(processes_of(running.pid)):
        assert time.monotonic() < end
        time.sleep(0.01)


def processes_of(session):
    """The folders of the processes of a session; each child is in a group of its own."""
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(ProcessLookupError):
            if os.getsid(int(folder.name)) == session:
                yield folder


def test_progress_makes_room_for_what_is_printed():
    stream = io.StringIO()
    with Progress(3, stream, shown=True) as progress:
        progress.clear()
        stream.write("a result\n")
        progress.step()
        progress.draw()
    cleared = "\r" + " " * len("0 of 3 checked") + "\r"
    assert stream.getvalue() == f"0 of 3 checked{cleared}a result\n1 of 3 checked{cleared}"


def test_there_is_no_progress_where_it_is_not_shown():
    stream = io.StringIO()
    with Progress(3, stream, shown=False) as progress:
        progress.step()
        progress.draw()
        progress.clear()
    assert stream.getvalue() == ""
