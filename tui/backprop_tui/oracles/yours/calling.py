"""How a learner's functions are called: their parameters, and what is said of a call.

Standard library and numpy alone: this runs in the process that runs the learner's file.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

_IN_NUMPY = {"dim": "axis", "keepdim": "keepdims"}


def parameters(cls: type) -> Sequence[str]:
    """The names that a class takes; none where that is not known."""
    try:
        return list(inspect.signature(cls).parameters)
    except (TypeError, ValueError):
        return ()


def arguments(
    function: Any, attributes: Mapping[str, Any]
) -> tuple[Sequence[Any], Mapping[str, Any]]:
    """The attributes as a learner's function takes them: in their order, or by its own names."""
    given = given_of(attributes)
    try:
        parameters = inspect.signature(function).parameters if given else {}
    except (TypeError, ValueError):
        parameters = {}
    named = {key if key in parameters else _IN_NUMPY.get(key, key): it for key, it in given.items()}
    fixed = {key for key, each in parameters.items() if each.kind is not each.VAR_POSITIONAL}
    if fixed.issuperset(named):
        return (), named
    if any(each.kind is each.VAR_POSITIONAL for each in parameters.values()):
        spread = [it if isinstance(it, tuple) else (it,) for it in given.values()]
        return sum(spread, ()), {}
    return list(given.values()), {}


def given_of(attributes: Mapping[str, Any]) -> Mapping[str, Any]:
    """The attributes that are not left out in a call."""
    return {key: it for key, it in attributes.items() if it is not None and it is not False}


def property_of(value: Any, name: str) -> Any:
    """`x.T`, or `x.T()` where it is a method."""
    found = getattr(value, name)
    return found() if callable(found) else found


def short(value: Any) -> str:
    """A number, or that it is an array."""
    return f"{value:g}" if isinstance(value, int | float) else "an array"
