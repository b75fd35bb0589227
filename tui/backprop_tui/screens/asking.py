"""The screens that ask something before a command is carried out, by the command's name.

Each is made from the current View and is dismissed with the change to the session that the answer
means, or with None for no change.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from textual.screen import ModalScreen

from backprop_tui.screens.autopsy import AutopsyScreen
from backprop_tui.screens.breakpoint_list import BreakpointList
from backprop_tui.screens.goto import GotoScreen
from backprop_tui.screens.marks import MarkScreen
from backprop_tui.screens.origin import OriginScreen
from backprop_tui.screens.search import SearchPrompt
from backprop_tui.screens.stop_prompts import BreakpointPrompt, WatchPrompt
from backprop_tui.screens.whatif import EditPrompt, WhatIfScreen
from backprop_tui.session.session import Change
from backprop_tui.session.stops.watching import chosen_watch
from backprop_tui.view.view import View

AskingScreen = ModalScreen[Change | None]

ASKING: Final[Mapping[str, Callable[[View], AskingScreen]]] = {
    "goto": lambda view: GotoScreen(view.session),
    "search": SearchPrompt,
    "set_mark": lambda view: MarkScreen(view, setting=True),
    "to_mark": lambda view: MarkScreen(view, setting=False),
    "origin": OriginScreen,
    "autopsy": AutopsyScreen,
    "edit_breakpoint": lambda view: BreakpointPrompt.on_selected(view),
    "breakpoints": lambda view: BreakpointList(view),
    "watch": lambda view: WatchPrompt(view, None),
    "edit_watch": lambda view: WatchPrompt(view, chosen_watch(view.session)),
    "edit_value": EditPrompt,
    "compare": WhatIfScreen,
}
