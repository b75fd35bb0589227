"""The commands that there is occasion for: the footer names them before all others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from backprop_tui.commands import BY_NAME, Command
from backprop_tui.inside import can_open
from backprop_tui.view import View

_OCCASIONS: Final[Mapping[str, Callable[[View], bool]]] = {
    "autopsy": lambda view: view.shows_nan,
    "step_out": lambda view: view.session.outer is not None,
    "step_into": lambda view: can_open(view.session),
}


def offers(view: View) -> tuple[Command, ...]:
    """The commands whose time it is, the most urgent first."""
    return tuple(BY_NAME[name] for name, is_time in _OCCASIONS.items() if is_time(view))
