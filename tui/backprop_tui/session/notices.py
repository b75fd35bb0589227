"""Notices that are told anew whenever more has been found out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Self

from backprop_tui.session.session import Session


class Lasting(str):
    """A notice that is told anew whenever more has been found out, as long as it stands."""

    __slots__ = ("tell",)
    tell: Callable[[Session], str]

    def __new__(cls, tell: Callable[[Session], str], session: Session) -> Self:
        """`tell` makes the notice of a session."""
        notice = super().__new__(cls, tell(session))
        notice.tell = tell
        return notice


def lasting(session: Session, tell: Callable[[Session], str]) -> Session:
    """With the notice that `tell` makes of it now, and of what it becomes."""
    return replace(session, notice=Lasting(tell, session))


def told_anew(session: Session) -> Session:
    """With its notice as of what is known now."""
    notice = session.notice
    return lasting(session, notice.tell) if isinstance(notice, Lasting) else session
