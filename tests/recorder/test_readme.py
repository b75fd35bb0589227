"""The README's training script has the nan that it says, found as it says."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from backprop_tui.cli import main

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def without_figures(text: str) -> str:
    """What does not hang on how a processor rounds."""
    return re.sub(r"[▁-█▔▀!…]+|−?\d[\d.]*(e−\d+)?", "#", text)


def test_the_nan_of_the_readme_is_found_in_five_lines_of_terminal(
    as_main, monkeypatch, tmp_path, capsys
):
    monkeypatch.chdir(tmp_path)
    (script,) = blocks("py")
    (session,) = blocks("sh-session")
    (tmp_path / "train.py").write_text(script)
    commands = [line for line in session.splitlines() if line.startswith("$ ")]
    assert len(commands) == 2
    printed = ""
    for line in commands:
        program, *arguments = shlex.split(line.removeprefix("$ "))
        assert program == "backprop-tui"
        main(arguments)
        printed += f"{line}\n{capsys.readouterr().out}"
    assert without_figures(printed) == without_figures(session)
