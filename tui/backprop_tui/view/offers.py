"""The commands that there is occasion for: the footer names them before all others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from backprop_tui.commands.command import Command
from backprop_tui.commands.table import BY_NAME
from backprop_tui.session.moving.playing import is_playing
from backprop_tui.view.view import View

_OCCASIONS: Final[Mapping[str, Callable[[View], bool]]] = {
    "predict": lambda view: view.is_closed,
    "autopsy": lambda view: view.fault is not None,
    "step_out": lambda view: view.session.outer is not None,
    "step_into": lambda view: BY_NAME["step_into"].missing(view.session) is None,
    "lens": lambda view: view.session.sent_shape is not None,
    "play_forward": lambda view: _plays(view, forward=True),
    "play_back": lambda view: _plays(view, forward=False),
    "slower": lambda view: is_playing(view.session),
    "faster": lambda view: is_playing(view.session),
}


def _plays(view: View, *, forward: bool) -> bool:
    play = view.session.play
    return play is not None and is_playing(view.session) and play.forward is forward


def offers(view: View) -> tuple[Command, ...]:
    """The commands whose time it is, the most urgent first."""
    return tuple(BY_NAME[name] for name, is_time in _OCCASIONS.items() if is_time(view))
