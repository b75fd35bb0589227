"""Leitner's boxes: when to practise a kind of mistake again.

What was avoided goes up a box and rests longer; what was made goes down into the first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import field
from datetime import date, timedelta
from pathlib import Path
from typing import Final

from backprop_engine.basics.dataclass import dataclass
from backprop_tui.memory import file

RESTS: Final = (1, 2, 4, 8, 16)
"""Days that a kind rests in each box, the first box first."""
_NAME: Final = "practice.json"


@dataclass(frozen=True, slots=True)
class Box:
    """Where a kind of mistake lies."""

    number: int
    """From 1."""
    due: date


@dataclass(frozen=True, slots=True)
class Boxes:
    """What was practised so far."""

    kinds: Mapping[str, Box] = field(default_factory=dict)
    """By the slug of a mistake."""
    rounds: int = 0
    """Exercises that were drawn: the next one has values of its own."""

    def due(self, today: date) -> list[str]:
        """The kinds that are due, what has waited longest first."""
        due = [kind for kind, box in self.kinds.items() if box.due <= today]
        return sorted(due, key=lambda kind: (self.kinds[kind].due, self.kinds[kind].number))

    def next_due(self, kinds: Iterable[str]) -> date | None:
        """When the first of `kinds` is due; None where none was practised."""
        return min((self.kinds[kind].due for kind in kinds if kind in self.kinds), default=None)

    def moved(self, avoided: Mapping[str, bool], today: date) -> dict[str, Box]:
        """Where each kind lies that was avoided, or (False) made."""
        found = {}
        for kind, is_avoided in avoided.items():
            before = self.kinds[kind].number if kind in self.kinds else 0
            number = min(before + 1, len(RESTS)) if is_avoided else 1
            found[kind] = Box(number, today + timedelta(RESTS[number - 1]))
        return found


def read(folder: Path) -> tuple[Boxes, str]:
    """What is kept; and what is to be told of a file that is broken, which is set aside."""
    path = folder / _NAME
    try:
        try:
            return _read(path), ""
        except file.BrokenError as error:
            return Boxes(), f"the boxes were set aside, {error}: {file.set_aside(path)}"
    except OSError as error:
        return Boxes(), f"the boxes cannot be read: {error.strerror or error}: {path}"


def _read(path: Path) -> Boxes:
    found = file.load(path)
    if found is None:
        return Boxes()
    try:
        kinds = {
            str(kind): Box(_within(number), date.fromisoformat(due))
            for kind, (number, due) in found["kinds"].items()
        }
        return Boxes(kinds, int(found["rounds"]))
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError):
        raise file.BrokenError("it is not what this program writes") from None


def _within(number: int) -> int:
    if number not in range(1, len(RESTS) + 1):
        raise ValueError(f"there is no box {number}")
    return number


def write(folder: Path, moved: Mapping[str, Box], rounds: int) -> None:
    """Keep what has `moved`; other kinds lie where another program may have put them meanwhile.

    Raises OSError.
    """
    path = folder / _NAME
    with file.alone(path):
        there = Boxes()
        with suppress(file.BrokenError):  # it has been told, and set aside, where it was read
            there = _read(path)
        kinds = {**there.kinds, **moved}
        kept = {kind: [box.number, box.due.isoformat()] for kind, box in kinds.items()}
        file.save(path, "practice", {"kinds": kept, "rounds": max(rounds, there.rounds)})
