"""The files that memory is kept in: one a scenario, JSON with a version, replaced as a whole."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from backprop_engine.basics.source import Source
from backprop_engine.scenarios.read_bytes import read_bytes

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

VERSION: Final = 1
_LARGEST: Final = 4_000_000
"""Bytes of a file that memory has written; a larger one is something else."""
_TRIES, _PAUSE = 20, 0.01


class BrokenError(Exception):
    """A file that memory has not written, or that a later version has."""


def file_of(folder: Path, target: Path | Source) -> Path:
    """Where memory of a scenario is kept: by its resolved path, or by its text."""
    if isinstance(target, Source):
        known = f"text\n{target.text}"
    else:
        known = f"path\n{os.path.realpath(target)}"
    digest = hashlib.sha256(known.encode("utf-8", "surrogatepass")).hexdigest()[:24]
    return folder / "scenarios" / f"{digest}.json"


def load(path: Path) -> Mapping[str, Any] | None:
    """What was kept; None for nothing. Raises BrokenError and OSError."""
    try:
        text = read_bytes(path)
    except FileNotFoundError:
        return None
    if len(text) > _LARGEST:
        raise BrokenError("it is too large")
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise BrokenError("it is no JSON") from None
    if not isinstance(found, dict) or not isinstance(found.get("version"), int):
        raise BrokenError("it has no version")
    if found["version"] != VERSION:
        raise BrokenError(f"it is of version {found['version']}, this program knows {VERSION}")
    return found


@contextlib.contextmanager
def alone(path: Path) -> Iterator[None]:
    """Have the folder of `path`, which is made, to oneself among programs like this one.

    Another has it for milliseconds. One that was stopped in them is not waited for, nor are drives
    and systems that know no locks: there, two who write at the same moment lose one's change.
    Raises OSError where there can be no such folder.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if fcntl is None:
        yield
        return
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        for _ in range(_TRIES):
            with contextlib.suppress(OSError):
                fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            time.sleep(_PAUSE)
        yield
    finally:
        os.close(folder)


def save(path: Path, name: str, kept: Mapping[str, Any]) -> None:
    """Replace the file at once or not at all; `name` is for people who look into it.

    Its folder is there. Raises OSError.
    """
    text = json.dumps({"version": VERSION, "scenario": name, **kept}, indent=1)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.stem, suffix=".new")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text + "\n")
        Path(temporary).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(temporary).unlink()
        raise


def set_aside(path: Path) -> Path:
    """Rename a broken file, so that it can be looked at and is not read again. Raises OSError."""
    aside = path.with_name(path.name + ".broken")
    path.replace(aside)
    return aside
