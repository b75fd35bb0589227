"""Everything that can happen to a child process, and what people are told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time

import pytest

from backprop_engine.basics.source import Source
from backprop_engine.run.record import record
from backprop_engine.scenarios.loader import parse_shorthand
from backprop_tui.oracles import client, process
from backprop_tui.oracles.client import TORCH, Oracle
from backprop_tui.oracles.report import Failed, Ready

TRACE = record(parse_shorthand(Source("<-e>", "x=2, y=x**2")))


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def failure(code: str, *, time_limit: float = 60) -> Failed:
    with Oracle(command=python(code), time_limit=time_limit) as oracle:
        answer = oracle.ask(TRACE)
    assert isinstance(answer, Failed)
    assert answer.reason.endswith(".")
    assert answer.remedy.endswith(".")
    return answer


def test_a_missing_torch_is_named_with_the_remedy():
    answer = failure(
        "import sys; sys.modules['torch'] = None\n"
        "from backprop_tui.oracles.torch.child import main; main()"
    )
    assert "cannot be imported" in answer.reason
    assert "pip install torch" in answer.remedy


def test_a_torch_that_breaks_on_import_is_told_in_its_own_words(tmp_path):
    (tmp_path / "torch.py").write_text("raise OSError('libtorch.so: wrong ELF class')")
    answer = failure(
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "from backprop_tui.oracles.torch.child import main; main()"
    )
    assert "wrong ELF class" in answer.reason


def test_a_killed_child_is_reported_by_its_signal():
    answer = failure("import os, sys; sys.stdin.readline(); os.kill(os.getpid(), 9)")
    assert "SIGKILL" in answer.reason


def test_a_child_that_crashes_is_quoted():
    answer = failure("raise RuntimeError('out of luck')")
    assert "exit code 1" in answer.reason
    assert "out of luck" in answer.reason


@pytest.mark.parametrize(
    "said",
    [
        "hello",
        "[]",
        "5",
        '{"request": 2}',
        '{"request": 1}',
        '{"request": 1, "passes": 5}',
        '{"request": 1, "version": "2", "passes": [], "values": [{}], "grad_fns": []}',
    ],
)
def test_garbage_on_the_pipe_is_no_answer(said):
    answer = failure(f"import sys; sys.stdin.readline(); print({said!r}, flush=True)")
    assert "no answer" in answer.reason
    assert said[:20] in answer.reason


def test_half_an_answer_is_a_death_and_not_an_answer():
    code = "import sys; sys.stdin.readline(); sys.stdout.write('{\"request\": 1'); sys.exit(3)"
    assert "exit code 3" in failure(code).reason


def test_a_child_that_hangs_is_given_up_and_ended():
    with Oracle(command=python("import time; time.sleep(600)"), time_limit=0.3) as oracle:
        started = threading.Event()
        answers = []

        def ask():
            started.set()
            answers.append(oracle.ask(TRACE))

        asking = threading.Thread(target=ask)
        asking.start()
        asking.join(30)
        assert not asking.is_alive()
    assert isinstance(answers[0], Failed)
    assert "0.3 seconds" in answers[0].reason


def test_a_child_that_never_reads_a_long_question_is_given_up_too():
    text = "x=1, y=" + "+".join(["sin(x)"] * 4000)
    long_trace = record(parse_shorthand(Source("<-e>", text)))
    with Oracle(command=python("import time; time.sleep(600)"), time_limit=0.3) as oracle:
        assert isinstance(oracle.ask(long_trace), Failed)


def test_a_child_that_closes_its_mouth_but_lives_is_ended(monkeypatch):
    monkeypatch.setattr(process, "_LAST_WORDS", 0.05)
    answer = failure("import os, time; os.close(1); time.sleep(600)")
    assert "stopped talking" in answer.reason


def test_a_command_that_does_not_exist_is_told():
    with Oracle(command=["/nowhere/python"]) as oracle:
        answer = oracle.ask(TRACE)
    assert isinstance(answer, Failed)
    assert "could not be started" in answer.reason


def test_closing_frees_a_question_under_way(tmp_path):
    marker = tmp_path / "pid"
    code = (
        f"import os, time; open({str(marker)!r}, 'w').write(str(os.getpid()) + '\\n')\n"
        "time.sleep(600)"
    )
    oracle = Oracle(command=python(code))
    answers = []
    asking = threading.Thread(target=lambda: answers.append(oracle.ask(TRACE)))
    asking.start()
    deadline = time.monotonic() + 30
    while not (marker.exists() and marker.read_text().endswith("\n")):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    oracle.close()
    asking.join(30)
    assert isinstance(answers[0], Failed)
    with pytest.raises(ProcessLookupError):  # ended and waited for: no orphan, no zombie
        os.kill(int(marker.read_text()), 0)


def test_a_closed_oracle_says_so_and_may_be_closed_again():
    oracle = Oracle(command=python("raise SystemExit"))
    oracle.close()
    oracle.close()
    answer = oracle.ask(TRACE)
    assert isinstance(answer, Failed)
    assert "closed" in answer.reason


def test_after_a_death_the_next_question_gets_a_new_child(tmp_path):
    marker = tmp_path / "died"
    code = (
        f"import pathlib, sys\nmarker = pathlib.Path({str(marker)!r})\n"
        "if not marker.exists():\n    marker.touch(); sys.exit(7)\n"
        "from backprop_tui.oracles.torch.child import main; main()"
    )
    with Oracle(command=python(code)) as oracle:
        assert isinstance(oracle.ask(TRACE), Failed)
        assert isinstance(oracle.ask(TRACE), Ready)


@pytest.mark.thorough
def test_a_users_own_torch_py_does_not_shadow_torch(tmp_path, monkeypatch):
    for name in ("torch.py", "engine.py", "backprop_engine.py"):
        (tmp_path / name).write_text("raise SystemExit('shadowed')")
    monkeypatch.chdir(tmp_path)
    with Oracle() as oracle:
        assert isinstance(oracle.ask(TRACE), Ready)


def test_the_child_ends_when_nobody_asks_any_more():
    done = subprocess.run(TORCH.command, stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_what_a_library_prints_does_not_get_between_the_answers(tmp_path):
    (tmp_path / "torch.py").write_text("print('welcome to torch')\nraise ImportError('gone')")
    answer = failure(
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "from backprop_tui.oracles.torch.child import main; main()"
    )
    assert "gone" in answer.reason


def test_our_process_never_imports_torch():
    code = (
        "import sys, backprop_tui.headless.check, backprop_tui.headless.run\n"
        "import backprop_tui.oracles.torch.agreement\n"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run(python(code), timeout=60).returncode == 0


def test_a_child_may_complain_without_end():
    code = (
        "import sys; sys.stdin.readline()\n"
        "for _ in range(300): sys.stderr.write('warning: ' + 'x' * 10000 + '\\n')\n"
        "sys.stderr.write('and that was all'); sys.exit(5)"
    )
    assert failure(code).reason == "The torch process ended with exit code 5: and that was all."


def test_a_reply_that_never_ends_is_cut_off(monkeypatch):
    monkeypatch.setattr(process, "MOST_BYTES", 100_000)
    code = "import sys; sys.stdin.readline()\nwhile True: sys.stdout.write('x' * 10000)"
    assert "said more than 100,000 bytes" in failure(code).reason


@pytest.mark.parametrize("count", [1, 2])
def test_arrays_larger_than_a_reply_may_be_take_no_memory(monkeypatch, count):
    monkeypatch.setattr(process, "MOST_BYTES", 100_000)
    said = json.dumps({"request": 1, "sent": [{"<array>": ["float64", 10_000]}] * count})
    code = f"import sys; sys.stdin.readline(); print({said!r}, flush=True); sys.stdin.read()"
    told = failure(code, time_limit=0.3 if count == 1 else 60).reason
    # One may still come; two are more than there is room for.
    assert ("has not answered" if count == 1 else "said more than 100,000 bytes") in told


def test_an_array_that_breaks_off_is_a_death(monkeypatch):
    said = json.dumps({"request": 1, "sent": {"<array>": ["float64", 10]}})
    assert "exit code 0" in failure(f"import sys; sys.stdin.readline(); print({said!r})").reason


@pytest.mark.parametrize(
    "told", [["object", 1], ["f8,f8", 1], ["float64", -1], ["float64", 0.5], [], 5, ["(9,)f8", 1]]
)
def test_what_is_no_array_of_numbers_is_no_answer(told):
    said = json.dumps({"request": 1, "sent": {"<array>": told}})
    assert "no answer" in failure(f"import sys; sys.stdin.readline(); print({said!r})").reason


def test_what_comes_after_a_reply_spoils_no_later_one():
    code = (
        "from backprop_tui.oracles import serving\nparent = serving.Parent()\n"
        "def answer(request):\n    parent.say(b'and another thing\\n'); return {'error': 'no'}\n"
        "serving.run(answer, parent)"
    )
    with Oracle(command=python(code)) as oracle:
        answers = [oracle.ask(TRACE) for _ in range(2)]
    assert all("no answer: “and another thing”" in answer.reason for answer in answers)


@pytest.mark.skipif(sys.platform != "linux", reason="the system has to keep to the limit")
def test_running_out_of_memory_is_told_and_the_process_lives_on():
    code = (
        "import resource\nfrom backprop_tui.oracles import serving\n"
        "resource.setrlimit(resource.RLIMIT_AS, (2**29, 2**29))\n"
        "def answer(request):\n"
        "    if request['request'] == 1: bytearray(2**30)\n"
        "    return {'unavailable': 'still here'}\n"
        "serving.run(answer)"
    )
    with Oracle(command=python(code)) as oracle:
        first, second = oracle.ask(TRACE), oracle.ask(TRACE)
    assert "ran out of memory" in getattr(first, "reason", "")
    assert "still here" in getattr(second, "reason", "")


@pytest.mark.thorough
def test_torchs_own_word_for_too_little_memory_is_understood():
    code = (
        "import resource\nfrom backprop_tui.oracles import serving\n"
        "from backprop_tui.oracles.torch import child\n"
        "def rebuild(program, request):\n"
        "    limit = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()\n"
        "    resource.setrlimit(resource.RLIMIT_AS, (limit + 2**28, limit + 2**28))\n"
        "    program.torch.ones(2**30)\n"
        "child.rebuild = rebuild\nchild.main()"
    )
    assert "ran out of memory" in failure(code).reason


def test_an_answer_nested_beyond_reason_is_no_answer():
    answer = failure("import sys; sys.stdin.readline(); print('[' * 100_000, flush=True)")
    assert "no answer" in answer.reason


def test_a_recording_that_is_too_large_is_not_sent(monkeypatch):
    monkeypatch.setattr(client, "MAX_SENT", 100)
    text = "x=[1,2,3,4,5,6,7,8,9,10,11,12,13,14], y=x.sum()"
    large = record(parse_shorthand(Source("<-e>", text)))
    with Oracle(command=python("raise AssertionError")) as oracle:
        answer = oracle.ask(large)

    assert isinstance(answer, Failed)
    assert "more than 0 MB of arrays, too many for torch" in answer.reason
