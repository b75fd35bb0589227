"""The screens that ask something before a command is carried out, by the command's name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from backprop_tui.screens.autopsy import AutopsyScreen
from backprop_tui.screens.box import Box
from backprop_tui.screens.breakpoint_list import BreakpointList
from backprop_tui.screens.flow import FlowScreen
from backprop_tui.screens.marks import MarkScreen
from backprop_tui.screens.origin import OriginScreen
from backprop_tui.screens.prompt import BreakpointPrompt, GotoScreen, SearchPrompt, WatchPrompt
from backprop_tui.screens.whatif import EditPrompt, WhatIfScreen
from backprop_tui.session.stops.watching import chosen_watch
from backprop_tui.view.view import View

ASKING: Final[Mapping[str, Callable[[View], Box]]] = {
    "goto": GotoScreen,
    "search": SearchPrompt,
    "set_mark": lambda view: MarkScreen(view, setting=True),
    "to_mark": lambda view: MarkScreen(view, setting=False),
    "origin": OriginScreen,
    "autopsy": AutopsyScreen,
    "flow": FlowScreen,
    "edit_breakpoint": BreakpointPrompt.on_selected,
    "breakpoints": BreakpointList,
    "watch": lambda view: WatchPrompt(view, None),
    "edit_watch": lambda view: WatchPrompt(view, chosen_watch(view.session)),
    "edit_value": EditPrompt,
    "compare": WhatIfScreen,
}
