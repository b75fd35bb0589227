"""What was opened last, across all scenarios."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from backprop_tui.memory import file

_NAME: Final = "recent.json"
_KEPT: Final = 20


def recent(folder: Path) -> tuple[Path, ...]:
    """The files opened last, the latest first; none where that cannot be read."""
    try:
        found = file.load(folder / _NAME) or {}
    except (file.BrokenError, OSError):
        return ()
    paths = found.get("paths")
    kept = paths if isinstance(paths, list) else []
    return tuple(Path(path) for path in kept if isinstance(path, str))


def remember(folder: Path, path: Path) -> None:
    """`path` is the latest. Raises OSError."""
    opened = path.absolute()
    paths = [opened, *(each for each in recent(folder) if each != opened)][:_KEPT]
    with file.alone(folder / _NAME):
        file.save(folder / _NAME, "what was opened last", {"paths": list(map(str, paths))})
