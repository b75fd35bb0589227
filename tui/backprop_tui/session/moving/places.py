"""Places to go to, as they are typed: `120`, `50%`, `+10`, `y`, `backward y`."""

from __future__ import annotations

from dataclasses import replace

from backprop_engine.basics.suggestions import did_you_mean
from backprop_tui.session.session import Change, Session, jump, select

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
