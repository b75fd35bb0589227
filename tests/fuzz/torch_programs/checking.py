"""Programs through `backprop-tui check` itself: its processes, its output, its silence."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

_TOLD = re.compile(r"\S+\.py:\d+:\d+: |  |expected: |to run it and record |$")
"""How the lines of a complaint begin."""


def noise(texts: Mapping[str, str], folder: Path) -> Iterator[str]:
    """What `check` says of programs, by name, that it should not: each a line for people.

    That it finds nothing wrong with them is not asked here: the oracles were asked in this process.
    """
    paths = [folder / f"{name}.py" for name in texts]
    for path, text in zip(paths, texts.values(), strict=True):
        path.write_text(text)
    command = [sys.executable, "-m", "backprop_tui", "check", "--json", *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    yield from _odd_lines(done.stderr.splitlines())
    lines = done.stdout.splitlines()
    if len(lines) != len(paths):
        yield f"{len(paths)} programs, and {len(lines)} lines of JSON"
    for path, line in zip(paths, lines, strict=False):
        told: dict[str, Any] = json.loads(line)
        if told["scenario"] != str(path):
            yield f"{told['scenario']} stands where {path} should"
        for error in told["errors"]:
            if error.get("oracle") in ("engine", "torch") and error.get("name") is None:
                yield f"{path}: {error['message']}"


def _odd_lines(lines: Iterable[str]) -> Iterator[str]:
    """The lines that belong to no complaint about a program."""
    return (f"on standard error: {line}" for line in lines if not _TOLD.match(line))
