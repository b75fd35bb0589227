"""Memory of the scenario that is open: read once, written when something has changed.

Another program may have the same scenario open: what it has written since is put together with
what is written here.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.source import Source
from backprop_engine.trace import Trace
from backprop_tui.memory import file, layout
from backprop_tui.memory.layout import Layout, Remembered
from backprop_tui.session.session import Session
from backprop_tui.session.stepping_in import stack
from backprop_tui.session.stops.state import Stops


@dataclass(frozen=True, eq=False, slots=True)
class Recalled:
    """A session as it was left, and how the screen looked; None for what was not kept."""

    session: Session
    kept: Remembered | None


class Keeper:
    """Reads and writes under `folder`; says once what goes wrong, and never raises.

    What cannot be written is tried again: room on a disk comes back.
    """

    def __init__(self, folder: Path, theme: str) -> None:
        """`theme` is what the screen has where nobody has chosen."""
        self._folder = folder
        self._theme = theme
        self._path: Path | None = None
        self._name = ""
        self._saved = layout.nothing(theme)
        """What this program has read or written last; as on the first day, before it has."""
        self._base = layout.nothing(theme)
        """What the file had from this program's view: others' changes are told from it."""
        self.trouble = ""
        """Why what there is to keep is not written; empty where it is."""

    @property
    def recent(self) -> tuple[Path, ...]:
        """The files that were opened last, the latest first."""
        return recent(self._folder)

    def opened(self, target: Path) -> None:
        """`target` is the latest; where that cannot be kept, nobody misses it."""
        with suppress(OSError):
            remember(self._folder, target)

    def recall(self, target: Path | Source, session: Session, *, fresh: bool) -> Recalled:
        """Begin with a scenario: its session with what was kept, or as it is where `fresh`."""
        self._path = file.file_of(self._folder, target)
        self._name = target.name if isinstance(target, Source) else str(target.absolute())
        self._saved = self._base = layout.nothing(self._theme)
        try:
            found = self._read(self._path, session.trace)
        except OSError as error:
            return self._told(session, f"what was kept cannot be read: {_reason(error)}")
        except file.BrokenError as error:
            return self._told(session, self._broken(self._path, str(error)))
        if found is None:
            return Recalled(session, None)
        kept, stops, lost = found
        self._base = kept
        if fresh:
            return Recalled(session, None)
        self._saved = kept
        there = layout.restore(session, kept, stops)
        return Recalled(replace(there, notice=" · ".join(lost)) if lost else there, kept)

    def _read(self, path: Path, trace: Trace) -> tuple[Remembered, Stops, tuple[str, ...]] | None:
        """What is kept; None for nothing. Raises BrokenError and OSError."""
        found = file.load(path)
        try:
            return None if found is None else layout.read(found, trace)
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError):
            raise file.BrokenError("it is not what this program writes") from None

    def _broken(self, path: Path, reason: str) -> str:
        try:
            aside = file.set_aside(path)
        except OSError as error:
            return f"the state file {path} is broken: {_reason(error)}"
        return f"the state file was set aside, {reason}: {aside}"

    def _told(self, session: Session, notice: str) -> Recalled:
        return Recalled(replace(session, notice=notice), None)

    def keep(self, session: Session, look: Layout, theme: str) -> str:
        """Write what has changed since the last time; what is to be told of it, else empty."""
        if self._path is None:
            return ""
        kept = layout.remember(session, look, theme)
        if kept == self._saved:
            self.trouble = ""
            return ""
        told = self.trouble
        try:
            with file.alone(self._path):
                notice = self._write(self._path, kept, stack(session)[-1].trace)
        except OSError as error:
            self.trouble = (
                f"breakpoints and layout cannot be kept: {_reason(error)}: {self._folder}"
            )
            return "" if told else self.trouble  # once is enough
        self._saved, self._base, self.trouble = kept, kept, ""
        return notice or ("breakpoints and layout are kept again" if told else "")

    def _write(self, path: Path, kept: Remembered, trace: Trace) -> str:
        """Write `kept`, with what is there from others; what is to be told. Raises OSError."""
        notice, both = "", tuple[str, ...]()
        try:
            found = self._read(path, trace)
        except file.BrokenError as error:
            found, notice = None, self._broken(path, str(error))
        if found is not None:
            kept, both = merge(self._base, kept, found[0])
        file.save(path, self._name, kept.plain)
        if both:
            notice = f"another backprop-tui has changed {', '.join(both)}, too: yours is kept"
        return notice


def _reason(error: OSError) -> str:
    return error.strerror or str(error)


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


_KEYS: Final[Mapping[str, tuple[str | int, ...]]] = {
    "breakpoints": ("on", "name", "condition"),
    "watches": ("expression",),
    "folds": (0, 1),
}
"""The parts that tell the entries of each list apart."""


def merge(
    base: Remembered, ours: Remembered, theirs: Remembered
) -> tuple[Remembered, tuple[str, ...]]:
    """`ours`, with what `theirs` has of its own since `base`; and what both have changed.

    Where both have, ours is kept.
    """
    kept, both = dict[str, Any](), list[str]()
    for section, parts in _KEYS.items():
        before, mine, other = (
            {tuple(entry[part] for part in parts): entry for entry in version.session[section]}
            for version in (base, ours, theirs)
        )
        merged = {}
        for key in dict.fromkeys([*mine, *other]):
            was, here, there = before.get(key), mine.get(key), other.get(key)
            merged[key] = there if here == was else here
            if here not in (was, there) and there != was:
                both.append(" if ".join(part for part in map(str, key[-2:]) if part))
        kept[section] = [entry for entry in merged.values() if entry is not None]
    layout = theirs.layout if ours.layout == base.layout else ours.layout
    theme = theirs.theme if ours.theme == base.theme else ours.theme
    return Remembered(kept, layout, theme), tuple(both)
