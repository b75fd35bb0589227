"""What a learner's values are made of, whatever they are called: data, gradient, operands.

Standard library and numpy alone: this runs in the process that runs the learner's file.
"""

from __future__ import annotations

import functools
import types
import weakref
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import numpy as np

DATA = ("data", "value", "val", "_data", "_value", "array", "v")
GRAD = ("grad", "gradient", "_grad", "derivative")
_LISTS = (list, tuple, set, frozenset)
_PLAIN = (
    int,
    float,
    complex,
    str,
    bytes,
    type(None),
    np.ndarray,
    np.generic,
    type,
    types.ModuleType,
)
_DEPTH = 4
"""How many objects may stand between a value and its operands: a context, a list, a closure."""
_MOST = 10_000


class StrangeError(Exception):
    """Something that is no number and no array stands where one belongs."""


def plain(thing: Any) -> Any:
    """A number or a copy of an array, however it is wrapped up; None for None."""
    for _ in range(_DEPTH):
        if thing is None:
            return None
        if isinstance(thing, bool | int | float | np.generic):
            return float(thing)
        if isinstance(thing, np.ndarray | list | tuple):
            with suppress(TypeError, ValueError):
                array = np.array(thing, float)
                return array if array.ndim else float(array)
        name = name_of(thing, DATA)
        if name is not None:
            thing = getattr(thing, name)
        elif callable(getattr(thing, "numpy", None)):
            thing = thing.numpy()
        else:
            break
    raise StrangeError(f"a {type(thing).__name__} stands where a number or an array belongs")


def name_of(thing: Any, names: tuple[str, ...]) -> str | None:
    """The first of these attributes that `thing` has, and that it gives."""
    for name in names:
        with suppress(Exception):  # a property of the learner's may raise anything
            getattr(thing, name)
            return name
    return None


def gradient_of(value: Any) -> Any:
    """The gradient that a learner's value holds; None where it has none."""
    name = name_of(value, GRAD)
    return None if name is None else plain(getattr(value, name))


def attributes_of(thing: Any) -> Iterator[tuple[str, Any]]:
    """The attributes that an object has of its own, those in slots too."""
    yield from list(getattr(thing, "__dict__", {}).items())
    for base in type(thing).__mro__:
        slots = base.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            mangled = f"_{base.__name__.lstrip('_')}{name}" if name[:2] == "__" else name
            try:
                yield name, getattr(thing, mangled)
            except AttributeError:
                continue


def operands_of(value: Any, cls: type, *, functions: bool = True) -> list[Any]:
    """The values that a learner's value holds on to: those it was made of.

    Without `functions`, those that it can be asked for.
    """
    names = {*DATA, *GRAD}
    held = [
        thing for name, thing in attributes_of(value)
        if name not in names and (functions or not callable(thing))
    ]  # fmt: skip
    return [found for found in _instances(held, cls) if found is not value]


def _instances(held: list[Any], cls: type) -> Iterator[Any]:
    """The instances of `cls` in things, and in the lists, closures and objects among them."""
    pending, seen = [(thing, _DEPTH) for thing in reversed(held)], set[int]()
    while pending and len(seen) < _MOST:
        thing, depth = pending.pop()
        if id(thing) in seen or isinstance(thing, _PLAIN):
            continue
        seen.add(id(thing))
        if isinstance(thing, cls):
            yield thing
        elif depth:
            pending += [(inner, depth - 1) for inner in reversed(_inside(thing))]


def _inside(thing: Any) -> list[Any]:
    """What an object that is no value holds."""
    if isinstance(thing, _LISTS):
        return list(thing)
    if isinstance(thing, dict):
        return [*thing, *thing.values()]
    if isinstance(thing, types.FunctionType):
        cells = thing.__closure__ or ()
        return [cell.cell_contents for cell in cells if _is_full(cell)] + list(
            thing.__defaults__ or ()
        )
    if isinstance(thing, types.MethodType):
        return [thing.__self__]
    if isinstance(thing, functools.partial):
        return [*thing.args, *thing.keywords.values()]
    if isinstance(thing, weakref.ref):
        return [thing()]
    return [inner for _, inner in attributes_of(thing)]


def _is_full(cell: Any) -> bool:
    try:
        cell.cell_contents  # noqa: B018 - raises where it is empty
    except ValueError:
        return False
    return True
