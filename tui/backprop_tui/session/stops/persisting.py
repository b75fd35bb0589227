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
    breakpoints = [*stops.breakpoints, *(stop for stop in aside if isinstance(stop, Breakpoint))]
    watches = [*stops.watches, *(stop for stop in aside if isinstance(stop, Watch))]
    return {
        "breakpoints": [
            {
                "on": str(breakpoint_.place.kind),
                "name": breakpoint_.place.name,
                "condition": breakpoint_.condition,
                "title": breakpoint_.title,
                "ignored": breakpoint_.ignored,
                "enabled": breakpoint_.is_enabled,
            }
            for breakpoint_ in breakpoints
        ],
        "watches": [{"expression": watch.text, "stop": watch.is_stop} for watch in watches],
    }


def from_plain(plain: Mapping[str, Any], trace: Trace) -> tuple[Stops, tuple[str, ...]]:
    """The stops that `to_plain` wrote, for a graph that may have changed since.

    What the graph has no name for is put aside, to be kept with the rest; each such one is told
    in a sentence. Raises ValueError, KeyError or TypeError for what `to_plain` never writes.
    """
    found: list[Stop] = [_breakpoint(entry) for entry in plain["breakpoints"]]
    found += [Watch(_text(entry["expression"]), bool(entry["stop"])) for entry in plain["watches"]]
    return _sorted(found, trace)


def carried_over(stops: Stops, trace: Trace) -> tuple[Stops, tuple[str, ...]]:
    """The same stops for another trace; what was aside comes back where it has a name again."""
    return _sorted([*stops.all, *stops.aside], trace)


def _sorted(found: list[Stop], trace: Trace) -> tuple[Stops, tuple[str, ...]]:
    problems = {stop: _problem(stop, trace) for stop in found}
    good = [stop for stop, problem in problems.items() if not problem]
    stops = Stops(
        breakpoints=tuple(stop for stop in good if isinstance(stop, Breakpoint)),
        watches=tuple(stop for stop in good if isinstance(stop, Watch)),
        aside=tuple(stop for stop, problem in problems.items() if problem),
    )
    return stops, tuple(
        f"{'watch' if isinstance(stop, Watch) else 'breakpoint'} {stop.text}: {problem}"
        for stop, problem in problems.items()
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
