"""How long an oracle may take over one scenario: what the configuration file says of it."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any, Final

from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.limits import DIFFERENCE_SECONDS
from backprop_tui.config.entries import MistakeError, read_entries
from backprop_tui.oracles.limits import SYMBOLIC_SECONDS, TORCH_SECONDS


@dataclass(frozen=True, slots=True)
class TimeLimits:
    """Seconds for one scenario, the start of a process included."""

    torch: float = TORCH_SECONDS
    symbolic: float = SYMBOLIC_SECONDS
    finite_difference: float = DIFFERENCE_SECONDS


DEFAULT_LIMITS: Final = TimeLimits()
TIME_SETTINGS: Final = {f"{limit.name}_seconds": limit.name for limit in fields(TimeLimits)}
"""The entries of the file, with the fields that they set."""
_LONGEST: Final = 86_400
"""A day: longer waits than some years are no numbers to an operating system."""


def with_time_limit(limits: TimeLimits, key: str, value: Any) -> TimeLimits:
    """The limits with one more of the file's entries. Raises MistakeError."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not (is_number and 0 < value <= _LONGEST):
        raise MistakeError(f"`{key}` is a number of seconds above 0, and {_LONGEST} at most")
    return replace(limits, **{TIME_SETTINGS[key]: float(value)})


def read_time_limits(path: Path) -> tuple[TimeLimits, tuple[str, ...]]:
    """The limits that the file at `path` sets, and what is wrong with them; nothing else of it."""
    entries, limits = read_entries(path), DEFAULT_LIMITS
    mistakes = [entries.mistake] if entries.mistake else []
    for key in TIME_SETTINGS.keys() & entries.found.keys():
        try:
            limits = with_time_limit(limits, key, entries.found[key])
        except MistakeError as mistake:
            mistakes.append(entries.told((key,), str(mistake)))
    return limits, tuple(mistakes)
