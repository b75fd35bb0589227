"""A learner's file that does harm: each way is told, and nothing is left of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.oracle.yours.engines import MICROGRAD
from tests.thorough import share

from backprop_tui.oracles.yours.client import Learners
from backprop_tui.oracles.yours.examining import examine
from backprop_tui.oracles.yours.file import File
from backprop_tui.oracles.yours.finding import Finding

THREADS = (
    "import threading, time\nwhile True: threading.Thread(target=time.sleep, args=[9]).start()\n"
)
STRANGE = "class Strange(Exception):\n    def __str__(self): raise Strange\nraise Strange\n"
LEAVING = "import os\nos.setpgid(0, os.getpgid(os.getppid()))\nwhile True: pass"
TOLD = {
    "while True: pass": "has not answered within",
    "while True: print('flood ' * 1000)": "has not answered within",
    LEAVING: "has not answered within",
    "x = bytearray(10 * 2**30)": "MemoryError",
    "import os\nwhile True: os.fork()": "may start no process",
    "import subprocess; subprocess.Popen(['sleep', '99'])": "may start no process",
    "import os; os.kill(os.getppid(), 9)": "may send no signal",
    "open('left', 'w')": "may write no file",
    "import os; os.symlink('mine.py', 'left')": "may write no file",
    "import os; os.remove(__file__)": "may write no file",
    "import os; os._exit(0)": "ended with exit code 0",
    "import os; os.closerange(0, 100)": "ended with exit code",
    "import signal; signal.raise_signal(9)": "SIGKILL",
    "import ctypes; ctypes.string_at(0)": "SIGSEGV",
    "import json; json.dumps = lambda *_, **__: 'hello'": "no answer",
    "import os\nfor fd in range(3, 6): os.write(fd, b'{}\\n')": "no answer",
    "import sys; sys.exit('bye')": "SystemExit: bye",
    "input()": "EOFError",
    THREADS: "can't start new thread",
    STRANGE: "which cannot be printed",
    "x = " + "(" * 100_000: "too many nested parentheses",
    "x = '\0'": "null bytes",
}


def found_in(source: str, folder: Path, seconds: float = 20.0) -> Finding:
    path = folder / "mine.py"
    path.write_text(source, encoding="utf-8")
    with Learners(File(str(path)), time_limit=seconds) as learners:
        found = examine(learners, None)
        process = learners.process
    assert list(folder.iterdir()) == [path]
    if process is not None:
        with pytest.raises(ProcessLookupError):
            os.killpg(process, 0)
    return found


@pytest.mark.parametrize("harm", list(TOLD)[:: share(usual=3, thorough=1)])
def test_a_file_that_does_harm_as_it_is_run_is_told(
    harm: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    seconds = 0.5 if "has not answered" in TOLD[harm] else 20.0
    found = found_in(f"{harm}\n{MICROGRAD}", tmp_path, seconds)
    assert found.verdict is None
    assert TOLD[harm] in found.trouble


BACKWARD = {
    "while True: pass": "has not answered within",
    "import os; os._exit(3)": "exit code 3",
    "return self.backward()": "calls itself too often",
}


@pytest.mark.parametrize("harm", BACKWARD)
def test_so_is_one_that_does_it_in_backward(harm: str, tmp_path: Path):
    source = MICROGRAD.replace("        topo = []", f"        {harm}")
    found = found_in(source, tmp_path, 1.5 if "while" in harm else 20.0)
    assert BACKWARD[harm] in found.trouble


@pytest.mark.parametrize(
    "odd",
    [
        "    def __repr__(self): raise RuntimeError\n    def __del__(self): raise RuntimeError\n",
        "    def __bool__(self): raise RuntimeError\n    def __len__(self): raise RuntimeError\n",
    ],
)
def test_what_is_odd_and_not_asked_for_harms_nothing(odd: str, tmp_path: Path):
    source = MICROGRAD[: MICROGRAD.index("    def __repr__")] + odd
    assert found_in(f"print('flood' * 100_000)\n{source}", tmp_path).is_right


def test_streams_that_are_put_in_others_places_are_not_ours(tmp_path: Path):
    harm = "import sys, io; sys.stdout = io.StringIO(); sys.stdin = sys.stderr = None\n"
    assert found_in(harm + MICROGRAD, tmp_path).is_right


def test_a_file_without_anything_to_judge_is_told_what_there_might_be(tmp_path: Path):
    assert "NAME_backward" in found_in("x = 1", tmp_path).trouble
