"""The table of commands: bindings, footer, help screen and palette are all made from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from backprop_tui import inside
from backprop_tui import session as do
from backprop_tui.session import Change, Session
from backprop_tui.stops import editing, watching
from backprop_tui.stops.continuing import continue_back, continue_forward


@dataclass(frozen=True, slots=True)
class Command:
    """One thing a person can ask for."""

    name: str
    keys: tuple[str, ...]
    """As Textual spells them."""
    title: str
    help: str
    """One sentence."""
    group: str
    apply: Change | None = None
    """What it does to the session; None where a screen asks first, or the app does it."""
    asks: bool = False
    """Whether a screen (`screens.asking.ASKING`) comes first, whose answer is the change."""
    footer: str = ""
    """Its word in the footer, one for keys that belong together; empty where it is not there."""
    in_tree: bool = False
    """Its keys are heard in the tree alone; elsewhere they scroll."""
    takes_long: Callable[[Session], str] | None = None
    """Says what `apply` has to do where that may take a while, so that a thread does it."""
    offer: str = ""
    """Its word in the footer while there is occasion for it (see `offers`), before all others."""
    in_watches: bool = False
    """Its keys are heard in the Watches pane alone."""

    @property
    def action(self) -> str:
        """The Textual action that runs it."""
        if self.asks:
            return f"app.ask('{self.name}')"
        return f"app.{self.name}" if self.apply is None else f"app.command('{self.name}')"


STEPPING, JUMPING, TREE, SCREEN = "Step", "Jump", "Graph", "Screen"
REASONS = "Why"
BREAKPOINTS, WATCHES = "Breakpoints", "Watches"

COMMANDS: tuple[Command, ...] = (
    Command(
        "node_forward", ("n", "space"), "next node", "Run all contributions of one node.",
        STEPPING, do.node_forward, footer="node",
    ),
    Command(
        "node_back", ("N",), "node back", "Take all contributions of one node back.",
        STEPPING, do.node_back, footer="node",
    ),
    Command(
        "step_forward", ("s",), "one step", "Run one step: one contribution along one edge.",
        STEPPING, do.step_forward, footer="step",
    ),
    Command(
        "step_back", ("S",), "step back", "Take one step back.", STEPPING, do.step_back,
        footer="step",
    ),
    Command(
        "continue_forward", ("c",), "continue",
        "Run to the next hit of a breakpoint, or to where a watch that is a stop next changes.",
        BREAKPOINTS, continue_forward, footer="continue",
    ),
    Command(
        "continue_back", ("C",), "continue back", "Go back to the last hit before.", BREAKPOINTS,
        continue_back, footer="continue",
    ),
    Command(
        "toggle_breakpoint", ("b",), "breakpoint",
        "Set a breakpoint on the selected node, or delete those on it.", BREAKPOINTS,
        editing.toggle, footer="break",
    ),
    Command(
        "edit_breakpoint", ("B",), "breakpoint with a condition",
        "Set a breakpoint with a condition: x if abs(grad) > 10.", BREAKPOINTS, asks=True,
    ),
    Command(
        "breakpoints", ("L",), "list of breakpoints",
        "List all breakpoints: their hits, on and off, conditions, hits to ignore.", BREAKPOINTS,
        asks=True,
    ),
    *(
        Command(
            f"first_{title.replace(' ', '_')}", (), f"first {title}",
            f"Set the breakpoint if {condition}, and go to its first hit.", BREAKPOINTS,
            partial(editing.first_hit, title=title),
        )
        for title, condition in editing.READY_MADE.items()
    ),
    Command(
        "pass_end", ("f",), "end of pass", "Run to the end of this pass.", JUMPING, do.pass_end,
        footer="pass",
    ),
    Command(
        "pass_start", ("F",), "start of pass", "Go back to the start of this pass.", JUMPING,
        do.pass_start, footer="pass",
    ),
    Command(
        "restart", ("r",), "restart", "Go back to the very start.", JUMPING, do.restart,
        footer="restart",
    ),
    Command(
        "to_node_forward", ("t",), "to the node",
        "Run to the next step in which the selected node takes part.", JUMPING,
        do.to_node_forward, footer="to node",
    ),
    Command(
        "to_node_back", ("T",), "back to the node",
        "Go back to the last step in which the selected node took part.", JUMPING,
        do.to_node_back, footer="to node",
    ),
    Command(
        "goto", ("g",), "go to a step", "Go to a step: 120, 50%, +10 or -3.", JUMPING,
        asks=True, footer="go to",
    ),
    Command(
        "jump_back", ("backspace",), "undo the jump", "Go back to where the last jump started.",
        JUMPING, do.jump_back,
    ),
    Command(
        "watch", ("w",), "watch", "Watch an expression: x.grad, a*b, norm(W.grad).", WATCHES,
        asks=True, footer="watch",
    ),
    Command(
        "watch_up", ("up", "k"), "watch above", "Choose the watch above.", WATCHES,
        watching.watch_up, in_watches=True,
    ),
    Command(
        "watch_down", ("down", "j"), "watch below", "Choose the watch below.", WATCHES,
        watching.watch_down, in_watches=True,
    ),
    Command(
        "edit_watch", ("enter",), "edit watch", "Edit the chosen watch.", WATCHES, asks=True,
        in_watches=True,
    ),
    Command(
        "delete_watch", ("d", "delete"), "delete watch", "Delete the chosen watch.", WATCHES,
        watching.delete_watch, in_watches=True,
    ),
    Command(
        "toggle_watch_stop", ("b",), "stop at watch",
        "Let continuing stop where the chosen watch changes, or no longer.", WATCHES,
        watching.toggle_watch_stop, in_watches=True,
    ),
    Command(
        "to_change_forward", ("t",), "to the next change",
        "Run to where the chosen watch next changes.", WATCHES, watching.to_change_forward,
        in_watches=True,
    ),
    Command(
        "to_change_back", ("T",), "to the last change",
        "Go back to where the chosen watch last changed.", WATCHES, watching.to_change_back,
        in_watches=True,
    ),
    Command("up", ("up", "k"), "up", "Select the row above.", TREE, do.up, in_tree=True),
    Command("down", ("down", "j"), "down", "Select the row below.", TREE, do.down, in_tree=True),
    Command(
        "fold", ("left", "h"), "fold", "Fold the row; then up to its consumer.", TREE, do.fold,
        in_tree=True,
    ),
    Command(
        "unfold", ("right", "l"), "unfold", "Unfold the row; then down to its first operand.",
        TREE, do.unfold, in_tree=True,
    ),
    Command(
        "page_up", ("pageup",), "page up", "Select a screenful up.", TREE, do.page_up,
        in_tree=True,
    ),
    Command(
        "page_down", ("pagedown",), "page down", "Select a screenful down.", TREE, do.page_down,
        in_tree=True,
    ),
    Command("top", ("home",), "first row", "Select the first row.", TREE, do.top, in_tree=True),
    Command(
        "bottom", ("end",), "last row", "Select the last row.", TREE, do.bottom, in_tree=True
    ),
    Command(
        "lead", ("enter",), "follow",
        "Lead from a reference to the full drawing; on other rows, hold the selection there.",
        TREE, do.lead, in_tree=True,
    ),
    Command(
        "origin", ("o",), "origin",
        "Show why a gradient is what it is: all paths it came along, the largest first.",
        REASONS, asks=True, footer="origin",
    ),
    Command(
        "autopsy", ("a",), "NaN autopsy",
        "Show where the first nan or inf came from and what it spoils.", REASONS, asks=True,
        offer="NaN: why?",
    ),
    Command(
        "step_into", ("i",), "step into",
        "Open the selected operation into the primitives it is made of.", REASONS,
        inside.step_into, takes_long=inside.what_takes_long, offer="open",
    ),
    Command(
        "step_out", ("I",), "step out",
        "Close it again, and compare what its parts send with what it has sent.", REASONS,
        inside.step_out, takes_long=inside.what_takes_long_to_close, offer="out",
    ),
    Command("next_pane", ("tab",), "next pane", "Move on to the next pane.", SCREEN),
    Command("previous_pane", ("shift+tab",), "previous pane", "Back to the pane before.", SCREEN),
    Command(
        "leave", ("escape",), "let go",
        "Let the selection follow the steps again; then back to the list of scenarios.", SCREEN,
    ),
    Command(
        "help", ("question_mark",), "help", "Show the keys and the marks.", SCREEN, footer="help"
    ),
    Command("command_palette", ("ctrl+p",), "palette", "Find any command by its name.", SCREEN),
    Command("quit", ("q",), "quit", "Leave the program.", SCREEN, footer="quit"),
)  # fmt: skip

BY_NAME = {command.name: command for command in COMMANDS}

_KEY_NAMES = {
    "question_mark": "?",
    "ctrl+p": "^p",
    "shift+tab": "shift-tab",
    "escape": "esc",
    "pageup": "PgUp",
    "pagedown": "PgDn",
    "delete": "del",
    "up": "↑",
    "down": "↓",
    "left": "←",
    "right": "→",
}


def key_name(key: str) -> str:
    """A key as people read it: `?` for `question_mark`."""
    return _KEY_NAMES.get(key, key)
