"""What can happen to the sympy process, and what people are told."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from backprop_engine.basics.source import Source
from backprop_engine.run.record import record
from backprop_engine.scenarios.loader import parse_shorthand
from backprop_engine.trace import Missing
from backprop_tui.oracles.report import Failed, Ready
from backprop_tui.oracles.sympy.client import SYMPY, SymbolicOracle

TRACE = record(parse_shorthand(Source("<-e>", "x=2, y=x**2")))
SERVE = "from backprop_tui.oracles.sympy.child import main; main()"


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def failure(code: str, *, time_limit: float = 60) -> Failed:
    with SymbolicOracle(command=python(code), time_limit=time_limit) as oracle:
        answer = oracle.ask(TRACE)
    assert isinstance(answer, Failed)
    assert answer.reason.endswith(".")
    assert answer.remedy.endswith(".")
    return answer


def test_one_process_answers_many_traces_and_says_which_sympy_it_is():
    with SymbolicOracle(with_texts=True) as oracle:
        answers = [oracle.ask(TRACE), oracle.ask(TRACE)]
    for answer in answers:
        assert isinstance(answer, Ready)
        (function,) = answer.report.functions.values()
        (partial,) = function.partials.values()
        assert (function.expression.text, partial.derivative.text) == ("x²", "2x")
        assert answer.report.version[0].isdigit()


def test_a_missing_sympy_is_named_with_the_remedy():
    answer = failure(f"import sys; sys.modules['sympy'] = None\n{SERVE}")
    assert answer.reason.startswith("Sympy cannot be imported")
    assert "pip install sympy" in answer.remedy
    assert not answer.is_late


def test_a_killed_child_is_reported_by_its_signal():
    answer = failure("import os, sys; sys.stdin.readline(); os.kill(os.getpid(), 9)")
    assert answer.reason == (
        "The sympy process was ended by SIGKILL, as the system does when memory runs out."
    )


@pytest.mark.parametrize(
    "said",
    ["hello", '{"request": 1}', '{"request": 1, "version": "1", "functions": [{"output": 2}]}'],
)
def test_garbage_on_the_pipe_is_no_answer(said):
    answer = failure(f"import sys; sys.stdin.readline(); print({said!r}, flush=True)")
    assert "no answer" in answer.reason


def test_what_takes_too_long_is_given_up_and_is_no_fault():
    answer = failure("import time; time.sleep(600)", time_limit=0.2)
    assert answer.is_late
    assert answer.reason == (
        "This is too much mathematics: sympy has not answered within 0.2 seconds."
    )


@pytest.mark.thorough
def test_what_takes_too_long_to_simplify_is_shown_as_it_is():
    plain = {
        "request": 1,
        "version": "1",
        "functions": [
            {"output": 2, "expression": ["x²", ""], "value": 4.0, "partials": [], "reason": ""}
        ],
    }
    code = (
        "import sys, time\n"
        "if 'simplified' in sys.stdin.readline():\n    time.sleep(600)\n"
        f"print({json.dumps(plain)!r}, flush=True)"
    )
    with SymbolicOracle(with_texts=True, command=python(code), time_limit=1.5) as oracle:
        answer = oracle.ask(TRACE)
    assert isinstance(answer, Ready)
    assert answer.report.functions[2].expression.text == "x²"


def test_after_a_death_the_next_question_gets_a_new_child(tmp_path):
    marker = tmp_path / "died"
    code = (
        f"import pathlib, sys\nmarker = pathlib.Path({str(marker)!r})\n"
        f"if not marker.exists():\n    marker.touch(); sys.exit(7)\n{SERVE}"
    )
    with SymbolicOracle(command=python(code)) as oracle:
        assert isinstance(oracle.ask(TRACE), Failed)
        assert isinstance(oracle.ask(TRACE), Ready)


def test_arrays_start_no_process():
    trace = record(parse_shorthand(Source("<-e>", "x=[1, 2], y=x.sum()")))
    with SymbolicOracle(command=["/nowhere/python"]) as oracle:
        assert isinstance(oracle.ask(trace), Missing)
        assert "could not be started" in getattr(oracle.ask(TRACE), "reason", "")


def test_the_child_ends_when_nobody_asks_any_more():
    done = subprocess.run(SYMPY.command, stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_our_process_never_imports_sympy():
    code = (
        "import sys, backprop_tui.headless.check, backprop_tui.headless.run\n"
        "import backprop_tui.oracles.sympy.client, backprop_tui.oracles.sympy.child\n"
        "sys.exit('sympy' in sys.modules)"
    )
    assert subprocess.run(python(code), timeout=60).returncode == 0
