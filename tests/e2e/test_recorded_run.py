"""`run` on a real terminal: the script runs, and the debugger opens on what it did."""

from __future__ import annotations

from tests.e2e.terminal import program

SCRIPT = """\
import torch

w = torch.tensor([1.0, 2.0], requires_grad=True)
for step in range(5):
    loss = (w * w).sum()
    loss.backward()
    print("did step", step)
"""


def test_a_script_is_run_and_opened_after_three_iterations(terminal, tmp_path):
    (tmp_path / "train.py").write_text(SCRIPT)
    shown = terminal(
        f"cd {tmp_path}; {program()} run -o run.bp train.py; echo exit code $?", with_torch=True
    )
    shown.wait_for("train.py, recorded", "loss@2 = ", "loss 1/3")
    assert b"did step 1" in shown.output
    assert b"did step 3" not in shown.output
    shown.press("f")
    shown.wait_for("forward done: loss@1 = 5 · next: backward from loss@1")
    shown.press("q")
    assert shown.finish() == 0
    assert b"exit code 0" in shown.output
    assert (tmp_path / "run.bp").stat().st_mode & 0o777 == 0o600
