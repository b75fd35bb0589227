"""`run`, `check`, `autopsy` and `trace` as commands."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.recorder.hand_made import write
from tests.recorder.programs import SCRIPTS, run_script

from backprop_engine.recording import layout
from backprop_engine.recording.reader import read
from backprop_tui.cli import main

PROGRAM = """\
import sys
import torch
from helper import double

print(__name__, sys.argv, sys.path[0] == sys.argv[1], __file__, input(), sorted(globals()))
x = torch.ones(2, requires_grad=True)
__builtins__.__dict__['abs'](double(x)).sum().backward()
print(x.grad.tolist())
sys.stderr.write("a line of its own\\n")


def work():
    y = torch.sigmoid(x)
    y.add_(1)
    y.sum().backward()


sys.stdout.flush()
if not sys.modules["os"].fork():
    sys.exit(3)
sys.modules["os"].wait()
work()
"""


def command(*arguments: object, folder: Path, given: str = "") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=folder,
        env=environment,
        input=given,
        capture_output=True,
        text=True,
        check=False,
    )


def run(*arguments: object, folder: Path, given: str = "") -> subprocess.CompletedProcess[str]:
    return command("-m", "backprop_tui", "run", *arguments, folder=folder, given=given)


def told(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, Any]:
    code = main([*map(str, arguments), "--json"])
    return code, json.loads(capsys.readouterr().out)


def own_lines(text: str) -> list[str]:
    """What is not ours of standard error."""
    return [line for line in text.splitlines() if not line.startswith("backprop-tui:")]


def test_a_script_runs_as_python_runs_it_and_fails_in_pythons_words(tmp_path, capsys):
    (tmp_path / "program.py").write_text(PROGRAM)
    (tmp_path / "helper.py").write_text("def double(x):\n    return x * 2\n")
    plain = command("program.py", str(tmp_path), "--flag", folder=tmp_path, given="hello\n")
    recorded = run("program.py", str(tmp_path), "--flag", folder=tmp_path, given="hello\n")
    assert plain.returncode == recorded.returncode == 1
    assert "[2.0, 2.0]" in plain.stdout
    assert plain.stdout == recorded.stdout
    assert "RuntimeError: one of the variables" in plain.stderr
    assert own_lines(recorded.stderr) == plain.stderr.splitlines()
    (file,) = tmp_path.glob("program.*.bp")
    assert file.stat().st_mode & 0o777 == 0o600
    assert recorded.stderr.count(f"recorded in {file.name}; it holds source and numbers") == 1
    recording = read(file)
    assert recording.is_complete
    assert set(recording.sources) == {str(tmp_path / "program.py"), str(tmp_path / "helper.py")}
    code, found = told(capsys, "check", file)
    assert code == 0
    assert found["error"]["type"] == "RuntimeError"
    assert found["error"]["line"] == 15
    assert found["error"]["culprit"]["line"] == 14
    assert found["error"]["culprit"]["text"] == "y.add_(1)"
    assert found["error"]["culprit"]["needed_text"] == "torch.sigmoid(x)"
    assert main(["check", str(file)]) == 0
    assert "y.add_(1)` changed it in place" in capsys.readouterr().out


def test_the_exit_code_is_the_scripts_own(as_main, tmp_path):
    script = tmp_path / "leaving.py"
    script.write_text("import sys\nsys.exit(3)\n")
    assert main(["run", "-o", str(tmp_path / "run.bp"), str(script)]) == 3
    assert read(tmp_path / "run.bp").is_complete


def test_a_module_runs_as_with_m_and_only_so_many_iterations_are_recorded(
    as_main, monkeypatch, tmp_path, capsys
):
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").touch()
    (tmp_path / "package" / "train.py").write_text(SCRIPTS["mlp"].read_text())
    monkeypatch.chdir(tmp_path)
    wanted = ("-o", "run.bp", "--iterations", "2", "--keep-going", "-m", "package.train")
    assert main(["run", *wanted]) == 0
    del sys.modules["package"]
    assert capsys.readouterr().out == run_script(SCRIPTS["mlp"]).printed
    code, found = told(capsys, "check", tmp_path / "run.bp")
    assert code == 0
    assert (found["ok"], found["complete"], found["passes"], found["iterations"]) == (
        True, True, 2, 2,
    )  # fmt: skip
    assert found["gradients"]["net.2.bias"]["shape"] == [2]
    assert len(found["gradients"]["net.2.bias"]["value"]) == 2
    assert found["missing_gradients"] == ["unused.weight", "unused.bias"]
    assert found["first_nonfinite"] is None
    assert found["verified"]["agree"] > 20
    assert (found["verified"]["differ"], found["faults"], found["errors"]) == (0, [], [])
    assert main(["trace", str(tmp_path / "run.bp")]) == 0
    assert "softmax" in capsys.readouterr().out


NAN = """\
import torch

w = torch.tensor([4.0], requires_grad=True)
optimizer = torch.optim.SGD([w], lr=1.0)
for step in range(20):
    optimizer.zero_grad()
    loss = torch.sqrt(w - 1).sum()
    loss.backward()
    optimizer.step()
    print(step)
"""


def test_until_nan_ends_at_the_first_one_and_autopsy_tells_its_birth(as_main, tmp_path, capsys):
    script, path = tmp_path / "nan.py", tmp_path / "run.bp"
    script.write_text(NAN)
    assert main(["run", "--until-nan", "-o", str(path), str(script)]) == 0
    assert capsys.readouterr().out == "".join(f"{step}\n" for step in range(20))
    code, found = told(capsys, "autopsy", path)
    first = found["first_nonfinite"]
    assert code == 1
    assert (first["phase"], first["operation"]) == ("forward", "sqrt")
    assert first["file"].endswith("nan.py")
    assert (first["line"], first["text"]) == (7, "torch.sqrt(w - 1)")
    assert main(["autopsy", str(path)]) == 1
    assert "a root is vertical at 0" in capsys.readouterr().out
    code, found = told(capsys, "check", path)
    assert code == 0
    assert found["first_nonfinite"]["grad_fn"] == "SqrtBackward0"


def test_a_newer_recording_is_refused_in_a_line(tmp_path, capsys):
    path = write(tmp_path / "run.bp")
    data = bytearray(path.read_bytes())
    data[8:10] = (layout.VERSION + 1).to_bytes(2, "little")
    path.write_bytes(data)
    for name in ("check", "trace", "autopsy"):
        assert main([name, str(path)]) == 2
        printed = capsys.readouterr()
        assert printed.out == ""
        assert "a newer backprop-tui opens it" in printed.err
        assert printed.err.count("\n") == 1


def test_a_recording_without_a_program_is_checked_beside_scenarios(tmp_path, capsys):
    path = write(tmp_path / "run.bp")
    assert main(["check", str(path), "--no-torch", "--no-symbolic", "-e", "x=2, y=x**2"]) == 1
    printed = capsys.readouterr().out
    assert "1 iteration, 1 backward pass" in printed
    assert "1 scenario, 1 ok" in printed
    assert main(["trace", str(path), "--json"]) == 0
    steps = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [step["kind"] for step in steps] == ["forward", "seed", "contribution", "update"]


def test_what_is_there_to_run_is_looked_at_before_torch_is_imported(tmp_path, capsys):
    assert main(["run", str(tmp_path / "nothing.py")]) == 2
    assert "there is no such file" in capsys.readouterr().err
    assert main(["run"]) == 2
    assert main(["run", "--iterations", "-1", "x.py"]) == 2


def test_ctrl_c_ends_the_script_and_what_was_recorded_is_opened(as_main, monkeypatch, tmp_path):
    script, path = tmp_path / "train.py", tmp_path / "run.bp"
    script.write_text(
        "import torch\n"
        "x = torch.ones(2, requires_grad=True)\n"
        "x.sum().backward()\n"
        "raise KeyboardInterrupt\n"
    )
    opened: list[str] = []
    monkeypatch.setattr("backprop_tui.cli._at_a_terminal", lambda: True)
    monkeypatch.setattr(subprocess, "run", lambda command, **_: opened.append(command[-1]))
    assert main(["run", "-o", str(path), str(script)]) == 130
    assert opened == [str(path)]
    recording = read(path)
    assert len(recording.passes) == 1
    assert recording.is_complete
    assert recording.error is None


UNASKED = """\
import pathlib
import torch

pathlib.Path("ran").touch()


def work(x):
    return x * 2


work(torch.ones(1, requires_grad=True)).sum().backward()
"""


@pytest.mark.parametrize(
    "arguments",
    [["check", "script.py"], ["trace", "script.py"], ["check", "-e", "@script.py"],
     ["trace", "-e", "@script.py"], ["check", "-"], ["trace", "-"]],
)  # fmt: skip
def test_nothing_of_a_script_runs_before_somebody_says_so(arguments, tmp_path, monkeypatch, capsys):
    (tmp_path / "script.py").write_text(UNASKED)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(UNASKED.encode())))
    assert main(arguments) == 2
    assert not (tmp_path / "ran").exists()
    printed = capsys.readouterr().err
    assert ("backprop-tui run script.py" in printed) is ("-" not in arguments)


@pytest.mark.parametrize("command", ["check", "trace"])
@pytest.mark.parametrize(
    ("line", "refused"),
    [("def f(x): return x", "`def`"), ("class A: pass", "`class`"), ("if True: y = 1", "`if`"),
     ("torch.optim.SGD([x], lr=0.1).step()", "`step`")],
)  # fmt: skip
def test_a_refused_program_is_told_how_to_be_run(
    command, line, refused, tmp_path, monkeypatch, capsys
):
    program = f"import torch\nx = torch.ones(1, requires_grad=True)\n{line}\n"
    (tmp_path / "script.py").write_text(program)
    monkeypatch.chdir(tmp_path)
    assert main([command, "-e", "@script.py"]) == 2
    mistake, *_, advice = capsys.readouterr().err.strip().splitlines()
    assert mistake.startswith("script.py:3:")
    assert refused in mistake
    assert advice.endswith("backprop-tui run script.py")
