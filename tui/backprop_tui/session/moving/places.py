"""Places to go to, as they are typed: `120`, `50%`, `+10`, `y`, `backward y`."""

from __future__ import annotations

from dataclasses import replace

from backprop_engine.basics.suggestions import did_you_mean
from backprop_tui.session.session import Change, Session, jump, parse_place, select

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


def _is_number(text: str) -> bool:
    digits = text.replace("−", "-").removesuffix("%").lstrip("+-")
    return digits[:1].isdigit() or digits[:1] == "."


def _no_place(wanted: str, session: Session) -> str:
    known = [*session.trace.names, *(pass_.name for pass_ in session.trace.passes)]
    hint = did_you_mean(wanted, known) if wanted else ""
    return f"“{wanted}” is no place; " + (hint or f"try {EXAMPLES}")
