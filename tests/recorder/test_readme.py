"""The README's training script has the nan that it says, found as it says."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def without_figures(text: str) -> str:
    """What does not hang on how a processor rounds."""
    return re.sub(r"[▁-█▔▀!…]+|−?\d[\d.]*(e−\d+)?", "#", text)


def test_the_nan_of_the_readme_is_found_in_five_lines_of_terminal(tmp_path):
    script, _ = blocks("py")
    (session,) = blocks("sh-session")
    (tmp_path / "train.py").write_text(script)
    commands = [line for line in session.splitlines() if line.startswith("$ ")]
    assert len(commands) == 2
    printed = ""
    for line in commands:
        program, *arguments = shlex.split(line.removeprefix("$ "))
        assert program == "backprop-tui"
        ended = subprocess.run(
            [sys.executable, "-m", "backprop_tui", *arguments],
            cwd=tmp_path,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            check=False,
        )
        printed += f"{line}\n{ended.stdout}"
    assert without_figures(printed) == without_figures(session)
