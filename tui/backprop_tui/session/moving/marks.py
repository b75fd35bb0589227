"""Marks: places of the timeline by a letter, as in vi."""

from __future__ import annotations

from dataclasses import replace

from backprop_engine.reading.explain import explain
from backprop_tui.session.session import Session, jump


def is_letter(sign: str) -> bool:
    """Whether a mark may be called so: one letter or digit of ASCII."""
    return len(sign) == 1 and sign.isascii() and sign.isalnum()


def set_mark(session: Session, letter: str) -> Session:
    """Mark the cursor with `letter`; a mark that stands there already is taken away."""
    marks = dict(session.marks)
    if marks.get(letter) == session.cursor:
        del marks[letter]
        return replace(session, marks=marks, notice=f"mark {letter} taken away")
    marks[letter] = session.cursor
    notice = f"mark {letter} set at {session.cursor:,}: '{letter} comes back here"
    return replace(session, marks=dict(sorted(marks.items())), notice=notice)


def to_mark(session: Session, letter: str) -> Session:
    """Jump to the mark `letter`."""
    place = session.marks.get(letter)
    if place is None:
        return replace(session, notice=f"no mark {letter}: m{letter} sets it")
    return jump(session, place)


def mark_rows(session: Session) -> list[tuple[str, int, str]]:
    """Letter, cursor, and the step about to run there, in the order of the timeline."""
    rows = sorted(session.marks.items(), key=lambda mark: (mark[1], mark[0]))
    return [(letter, place, what_runs(session, place)) for letter, place in rows]


def what_runs(session: Session, cursor: int) -> str:
    """The step about to run at `cursor`, in a few words."""
    if cursor >= len(session.trace):
        return "the end"
    return explain(session.trace, cursor).headline


def mark_columns(session: Session, start: int, stop: int, width: int) -> dict[int, str]:
    """The columns of a bar for the steps `start` up to `stop` in which marks stand."""
    found: dict[int, str] = {}
    is_last = stop == len(session.trace)
    for letter, place in session.marks.items():
        if width and (start <= place < stop or (is_last and place == stop)):
            column = (place - start) * width // max(stop - start, 1)
            found[min(column, width - 1)] = letter
    return found
