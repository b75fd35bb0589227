"""Whether a file has been saved, from looks at it a few times a second.

A look costs microseconds and sees every way of saving: in place, by renaming another file over it
(which leaves a watch on the file itself behind, with a file that is no more), deleted and written
anew, on a network drive.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from backprop_engine.basics.dataclass import dataclass

INTERVAL = 0.25
"""Seconds between two looks."""


@dataclass(frozen=True, slots=True)
class Look:
    """What can be seen of a file without reading it."""

    changed: int
    """In nanoseconds."""
    size: int
    number: int
    """Of the file in its file system: another one where it was renamed into its place."""


def look(path: Path) -> Look | None:
    """A look at a file; None where there is none, or where it cannot be looked at."""
    try:
        found = path.stat()
    except OSError:
        return None
    return Look(found.st_mtime_ns, found.st_size, found.st_ino)


@dataclass(frozen=True, slots=True)
class Watched:
    """A file that is looked at: as it was when it was last read, and at the last look."""

    read: Look | None
    last: Look | None

    @property
    def is_gone(self) -> bool:
        """Whether the file is not there now."""
        return self.last is None


def begin(seen: Look | None) -> Watched:
    """As it is when it is read."""
    return Watched(seen, seen)


def after(watched: Watched, seen: Look | None) -> tuple[Watched, bool]:
    """What is known after another look, and whether to read the file now.

    It is read once two looks in a row find the same: who is still writing is left alone.
    """
    is_settled = seen == watched.last
    if seen is None or seen == watched.read or not is_settled:
        return replace(watched, last=seen), False
    return Watched(seen, seen), True
