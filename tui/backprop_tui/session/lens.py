"""The lens: one element of what a step sends, which the chain rule then tells alone."""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np

from backprop_engine.reading.element_terms import Index
from backprop_tui.session.session import Change, Session


def toggle(session: Session) -> Session:
    """Look at one element of what is sent, at first the first one, or at the whole again."""
    if session.element is not None:
        return leave(session)
    if session.sent_shape is None:
        notice = "this step sends no array; s and n go to one that does"
        return replace(session, notice=notice)
    return replace(session, element=(), notice="")


def leave(session: Session) -> Session:
    """Look at whole arrays again."""
    return replace(session, element=None, notice="")


def choose(session: Session, node: int, element: Index) -> Session:
    """Look at `element` of what is sent to `node`; a notice where nothing is."""
    if session.sent_shape is None or session.step is None or session.step.operand != node:
        notice = f"this step sends nothing to {session.trace.label(node)}; t goes to one that may"
        return replace(session, notice=notice)
    return replace(session, element=element, notice="")


def moving(rows: int, columns: int, otherwise: Change) -> Change:
    """A command that moves the element while one is looked at, and else does `otherwise`.

    Elements are gone through as one reads: after the last of a row comes the first of the next.
    """

    def change(session: Session) -> Session:
        shape, here = session.sent_shape, session.sent_element
        if session.element is None:
            return otherwise(session)
        if not shape or here is None:
            return replace(session, notice="")
        in_a_row = shape[-1] if len(shape) > 1 else 1
        flat = int(np.ravel_multi_index(here, shape)) + rows * in_a_row + columns
        index = np.unravel_index(max(0, min(flat, prod(shape) - 1)), shape)
        return replace(session, element=tuple(map(int, index)), notice="")

    return change
