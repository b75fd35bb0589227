"""Breakpoints and watches as plain dictionaries, to be kept between runs, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from backprop_engine.basics.source import Problem, ProblemError
from backprop_engine.reading.conditions import compile_condition
from backprop_engine.trace import Trace
from backprop_tui.session.stops.parsing import parse_breakpoint
from backprop_tui.session.stops.state import Breakpoint, Place, PlaceKind, Stop, Stops, Watch
from backprop_tui.session.stops.watched import formula_of


def to_plain(stops: Stops) -> dict[str, list[dict[str, Any]]]:
    """All that is worth keeping, as JSON has it: names and texts, no number of a node."""
    aside = stops.aside
    breakpoints = [*stops.breakpoints, *(one for one in aside if isinstance(one, Breakpoint))]
    watches = [*stops.watches, *(one for one in aside if isinstance(one, Watch))]
    return {
        "breakpoints": [
            {
                "on": str(one.place.kind),
                "name": one.place.name,
                "condition": one.condition,
                "title": one.title,
                "ignored": one.ignored,
                "enabled": one.is_enabled,
            }
            for one in breakpoints
        ],
        "watches": [{"expression": one.text, "stop": one.is_stop} for one in watches],
    }


def from_plain(plain: Mapping[str, Any], trace: Trace) -> tuple[Stops, tuple[str, ...]]:
    """The stops that `to_plain` wrote, for a graph that may have changed since.

    What the graph has no name for is put aside, to be kept with the rest; each such one is told
    in a sentence. Raises ValueError, KeyError or TypeError for what `to_plain` never writes.
    """
    found: list[Stop] = [_breakpoint(one) for one in plain["breakpoints"]]
    found += [Watch(_text(one["expression"]), bool(one["stop"])) for one in plain["watches"]]
    return _sorted(found, trace)


def carried_over(stops: Stops, trace: Trace) -> tuple[Stops, tuple[str, ...]]:
    """The same stops for another trace; what was aside comes back where it has a name again."""
    return _sorted([*stops.all, *stops.aside], trace)


def _sorted(found: list[Stop], trace: Trace) -> tuple[Stops, tuple[str, ...]]:
    problems = {one: _problem(one, trace) for one in found}
    good = [one for one, problem in problems.items() if not problem]
    stops = Stops(
        breakpoints=tuple(one for one in good if isinstance(one, Breakpoint)),
        watches=tuple(one for one in good if isinstance(one, Watch)),
        aside=tuple(one for one, problem in problems.items() if problem),
    )
    return stops, tuple(
        f"{'watch' if isinstance(one, Watch) else 'breakpoint'} {one.text}: {problem}"
        for one, problem in problems.items()
        if problem
    )


def _problem(stop: Stop, trace: Trace) -> str:
    """Why a stop means nothing in the graph; empty where it does."""
    if isinstance(stop, Watch):
        formula = formula_of(trace, stop.text)
        return formula.message if isinstance(formula, Problem) else ""
    try:
        if stop.place.kind is not PlaceKind.ANYWHERE:
            parse_breakpoint(f"{stop.place.kind} {stop.place.name}", trace)
        if stop.condition:
            compile_condition(stop.condition)
    except ProblemError as error:
        return error.problem.message
    return ""


def _breakpoint(plain: Mapping[str, Any]) -> Breakpoint:
    return Breakpoint(
        place=Place(PlaceKind(plain["on"]), _text(plain["name"])),
        condition=_text(plain["condition"]),
        title=_text(plain["title"]),
        ignored=max(int(plain["ignored"]), 0),
        is_enabled=bool(plain["enabled"]),
    )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value
