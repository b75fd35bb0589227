"""Ways through a run: places as they are typed, marks by a letter, and play, driven by a timer."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from backprop_engine.basics.suggestions import did_you_mean
from backprop_engine.reading.explain import explain
from backprop_tui.session.navigation import RATES, Play
from backprop_tui.session.session import Change, Session, jump, select, step_back, step_forward
from backprop_tui.session.stops.continuing import hit_sentence

EXAMPLES = "120, 50%, +10, -3, or a name"


def parse_target(text: str, session: Session) -> Change:
    """The change that going to `text` is; ValueError says what is wrong with it.

    A step, a percentage or a distance moves the cursor. A name selects its node, and moves the
    cursor before the first step in which it takes part: where it is computed, or, of an input,
    where it first receives. A pass's name means its start.
    """
    wanted = text.strip()
    if _is_number(wanted):
        place = parse_place(wanted, session)
        return lambda session: jump(session, place)
    trace = session.trace
    node = trace.named(wanted)
    if node is None:
        for pass_ in trace.passes:
            if wanted == pass_.name and pass_.stop > pass_.start:
                start = pass_.start
                return lambda session: jump(session, start)
        raise ValueError(_no_place(wanted, session))
    return lambda session: to_node(session, node)


def to_node(session: Session, node: int) -> Session:
    """Select `node`, and go to before the first step in which it takes part."""
    chosen = select(session, int(session.outline.full_rows[node]))
    visits = session.trace.visits(node)
    if not visits:
        label = session.trace.label(node)
        return replace(chosen, notice=f"{label} takes part in no step")
    return jump(chosen, visits[0])


def parse_place(text: str, session: Session) -> int:
    """The cursor that `120`, `50%`, `+10` or `-3` means here; ValueError says what is wrong."""
    count, wanted = len(session.trace), text.strip().replace("−", "-")
    number = wanted.removesuffix("%")
    try:
        amount = float(number) if wanted.endswith("%") else int(number)
    except ValueError:
        raise ValueError(f"“{text.strip()}” is no place; try 120, 50%, +10 or -3") from None
    if wanted.endswith("%"):
        if not 0 <= amount <= 100:
            raise ValueError("a percentage lies between 0% and 100%")
        return round(count * amount / 100)
    if wanted[0] in "+-":
        return max(0, min(session.cursor + int(amount), count))
    if amount > count:
        raise ValueError(f"there are {count} steps: say 0 to {count}")
    return int(amount)


def _is_number(text: str) -> bool:
    digits = text.replace("−", "-").removesuffix("%").lstrip("+-")
    return digits[:1].isdigit() or digits[:1] == "."


def _no_place(wanted: str, session: Session) -> str:
    known = [*session.trace.names, *(pass_.name for pass_ in session.trace.passes)]
    hint = did_you_mean(wanted, known) if wanted else ""
    return f"“{wanted}” is no place; " + (hint or f"try {EXAMPLES}")


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


def is_playing(session: Session) -> bool:
    """Whether steps run by themselves; whatever else moves the cursor ends that."""
    return session.play is not None and session.play.cursor == session.cursor


def _toggle(session: Session, *, forward: bool) -> Session:
    if is_playing(session) and session.play is not None and session.play.forward == forward:
        return pause(session)
    if session.cursor == (len(session.trace) if forward else 0):
        where = "the end: P plays backwards" if forward else "the start: p plays forwards"
        return replace(session, play=None, notice=f"this is {where}")
    return replace(session, play=Play(forward, session.cursor), notice="")


play_forward = partial(_toggle, forward=True)
"""Play forwards; pause, if it does already."""
play_back = partial(_toggle, forward=False)
"""Play backwards; pause, if it does already."""


def pause(session: Session) -> Session:
    """Let no steps run by themselves."""
    return replace(session, play=None, notice="paused")


def _at_rate(session: Session, by: int) -> Session:
    at = RATES.index(session.rate) + by
    rate = RATES[max(0, min(at, len(RATES) - 1))]
    if rate == session.rate:
        most = "fastest" if by > 0 else "slowest"
        return replace(session, notice=f"{rate:g} steps a second is the {most}")
    notice = "" if is_playing(session) else f"p will play at {rate:g} steps a second"
    return replace(session, rate=rate, notice=notice)


faster = partial(_at_rate, by=1)
"""Play at the next higher rate."""
slower = partial(_at_rate, by=-1)
"""Play at the next lower rate."""


def tick(session: Session) -> Session:
    """One step on in the direction of play; it ends at an end of the timeline and at a hit."""
    if session.play is None:
        return session
    if not is_playing(session):
        return replace(session, play=None)
    forward = session.play.forward
    moved = step_forward(session) if forward else step_back(session)
    reason = hit_sentence(moved)
    if reason or moved.cursor == (len(moved.trace) if forward else 0):
        return replace(moved, play=None, notice=reason)
    return replace(moved, play=Play(forward, moved.cursor))
