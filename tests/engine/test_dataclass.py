"""Our `dataclass` makes the classes that the standard library's makes."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from backprop_engine.basics.dataclass import dataclass

Decorator = Callable[..., Any]
FORMS: list[dict[str, bool]] = [
    {},
    {"frozen": True},
    {"frozen": True, "slots": True},
    {"frozen": True, "eq": False},
    {"frozen": True, "slots": True, "repr": False},
    {"slots": True},
]


def point(decorator: Decorator, form: dict[str, bool]) -> Any:
    class Point:
        x: float
        """Across."""
        names: list[str] = dataclasses.field(default_factory=list)
        y: float = 0.5
        shade: str = dataclasses.field(default="grey", compare=False, repr=False, kw_only=True)

    return decorator(Point, **form)


def told(cls: Any) -> list[object]:
    """What can be seen of a class of points."""
    first, second = cls(1.0), cls(1.0, y=0.5, shade="red")
    seen: list[object] = [first == second, first == cls(1.0, ["a"]), first == 1.0]
    seen += [first.names, cls(2.0).names is first.names, first.shade, second.shade]
    seen += [dataclasses.asdict(second), dataclasses.replace(second, x=3.0).shade]
    seen += [
        repr(first) if "__repr__" in vars(cls) else "",
        vars(cls).get("__hash__", "absent") is None,
    ]
    seen += [copy.copy(second).shade, cls.__match_args__, hasattr(first, "__dict__")]
    for attempt in (
        lambda: setattr(first, "x", 4.0),
        lambda: delattr(first, "y"),
        lambda: cls(),
        lambda: cls(1.0, [], 2.0, "red"),
        lambda: cls(1.0, colour=3),
    ):
        try:
            seen.append(attempt())
        except (TypeError, AttributeError) as error:
            seen.append(type(error))
    return seen


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_a_class_is_as_the_standard_one(form: dict[str, bool]) -> None:
    assert told(point(dataclass, form)) == told(point(dataclasses.dataclass, form))


@pytest.mark.parametrize("decorator", [dataclass, dataclasses.dataclass])
def test_what_a_class_says_itself_stays(decorator: Decorator) -> None:
    @decorator(frozen=True)
    class Own:
        values: tuple[float, ...]
        total: float = dataclasses.field(init=False)

        def __post_init__(self) -> None:
            object.__setattr__(self, "total", sum(self.values))

        def __eq__(self, other: object) -> bool:
            return True

        def __repr__(self) -> str:
            return "own"

    @decorator(frozen=True)
    class More(Own):
        also: str = ""

    kinds: Any = (Own, More)  # what an unknown decorator makes of a class, mypy cannot know
    own, more = kinds[0]((1.0, 2.0)), kinds[1]((3.0,), "also")
    assert (own.total, repr(own), own == more) == (3.0, "own", True)
    assert (more.total, more.also) == (3.0, "also")
    assert repr(more).endswith("More(values=(3.0,), total=3.0, also='also')")


@pytest.mark.parametrize("decorator", [dataclass, dataclasses.dataclass])
def test_equal_values_have_one_hash(decorator: Decorator) -> None:
    @decorator(frozen=True)
    class Single:
        value: Any

    made: Any = Single
    array = [float("nan")]
    assert hash(made("a")) == hash(made("a"))
    assert made(array) == made(array)  # compared as in a tuple, where the same is equal
    with pytest.raises(TypeError):
        hash(made(array))
