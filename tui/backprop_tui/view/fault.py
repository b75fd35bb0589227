"""What the screen says of a run with a nan or inf, wherever it stands."""

from __future__ import annotations

from dataclasses import replace

from backprop_engine.reading.autopsy.report import Autopsy
from backprop_tui.commands.keymap import Keymap
from backprop_tui.session.notices import Lasting
from backprop_tui.session.session import Session


def fault_text(found: Autopsy, keymap: Keymap) -> str:
    """`first inf at step 12, line 7: press a`; of a leaf its name in the place of a step."""
    told = found.first
    step = told.birth.step
    given = f"the start, given as {found.trace.label(told.birth.node)}"
    where = given if step is None else f"step {step:,}"
    line = ""
    if told.place is not None:
        file = "" if len(found.trace.heading.files) < 2 else f"{told.place.source.name} "
        line = f", {file}line {told.place.position.line}"
    key = keymap.key("autopsy")
    more = f"press {key}" if key else "the autopsy tells why"
    return f"first {told.kind} at {where}{line}: {more}"


def with_fault(session: Session, found: Autopsy, keymap: Keymap) -> Session:
    """`session` with a notice of the fault, after the one that stands there."""
    is_asking = session.predicting is not None
    if is_asking or session.outer is not None or isinstance(session.notice, Lasting):
        return session
    said = fault_text(found, keymap)
    if said in session.notice:  # as where one comes back from a lesson
        return session
    return replace(session, notice=f"{session.notice}; {said}" if session.notice else said)
