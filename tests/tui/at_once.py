"""Functions of a session, with all that the app's desks then find out for it."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from types import ModuleType
from typing import Any

from backprop_tui.session.search.searching import learn, look_on
from backprop_tui.session.session import Session
from backprop_tui.session.stops.continuing import is_surveyed, survey
from backprop_tui.session.whatif.editing import arrive, carry_out


def found_out(session: Session) -> Session:
    """With the run that is wanted, all hits and all matches."""
    wanted = session.whatif.wanted
    if wanted is not None:
        session = arrive(session, carry_out(session.whatif, wanted))
    while not is_surveyed(session):
        session = survey(session)
    for matches in look_on(session):
        session = learn(session, matches)
    return session


def at_once(change: Callable[..., Any]) -> Callable[..., Any]:
    """`change`, and what is found out after it."""

    @wraps(change)
    def changed(*arguments: Any, **options: Any) -> Any:
        result = change(*arguments, **options)
        return found_out(result) if isinstance(result, Session) else result

    return changed


class AtOnce:
    """A module, each of its functions so."""

    def __init__(self, module: ModuleType) -> None:
        self._module = module

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._module, name)
        return at_once(found) if callable(found) else found
