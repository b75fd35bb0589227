"""The table of commands: bindings, footer, help screen and palette are all made from it."""

from __future__ import annotations

from functools import partial

from backprop_engine.trace.abilities import Opens, Recomputes, Reruns
from backprop_tui.commands.command import Command
from backprop_tui.commands.copying import gradient_text, latex_text, markdown_text, value_text
from backprop_tui.session import lens, modules, moving, stepping_in
from backprop_tui.session import session as do
from backprop_tui.session.predicting import answering
from backprop_tui.session.search import searching
from backprop_tui.session.stops import editing, watching
from backprop_tui.session.stops.continuing import continue_back, continue_forward
from backprop_tui.session.whatif import editing as changing

STEPPING, JUMPING, TREE, SCREEN = "Step", "Jump", "Graph", "Screen"
REASONS = "Why"
BREAKPOINTS, WATCHES = "Breakpoints", "Watches"
WHAT_IF = "What if"
SEARCH, PLAY, COPY = "Search", "Play", "Copy and save"

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
        "predict", ("x",), "predict",
        "Ask what a step sends before it is shown, or no longer.", STEPPING, answering.toggle,
        needs=Reruns, offer="no more questions",
    ),
    Command(
        "continue_forward", ("c",), "continue",
        "Run to the next hit of a breakpoint, or to where a watch that is a stop next changes.",
        BREAKPOINTS, continue_forward, footer="continue", tells=True,
    ),
    Command(
        "continue_back", ("C",), "continue back", "Go back to the last hit before.", BREAKPOINTS,
        continue_back, footer="continue", tells=True,
    ),
    Command(
        "toggle_breakpoint", ("b",), "breakpoint",
        "Set a breakpoint on the selected node, or delete those on it.", BREAKPOINTS,
        editing.toggle, footer="break",
    ),
    Command(
        "edit_breakpoint", ("B",), "breakpoint with a condition",
        "Set a breakpoint with a condition: x if abs(grad) > 10.", BREAKPOINTS, asks=True,
        tells=True,
    ),
    Command(
        "breakpoints", ("L",), "list of breakpoints",
        "List all breakpoints: their hits, on and off, conditions, hits to ignore.", BREAKPOINTS,
        asks=True, tells=True,
    ),
    *(
        Command(
            f"first_{title.replace(' ', '_')}", (), f"first {title}",
            f"Set the breakpoint if {condition}, and go to its first hit.", BREAKPOINTS,
            partial(editing.first_hit, title=title), tells=True,
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
        "iteration_end", ("right_curly_bracket",), "end of iteration",
        "Run to where an optimiser has stepped; without one, to the end of a backward pass.",
        JUMPING, do.iteration_end,
    ),
    Command(
        "iteration_start", ("left_curly_bracket",), "start of iteration",
        "Go back to the start of this iteration of the training.", JUMPING, do.iteration_start,
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
        "goto", ("g",), "go to", "Go to a step or a name: 120, 50%, +10, -3, y.", JUMPING,
        asks=True, footer="go to",
    ),
    Command(
        "jump_back", ("backspace",), "undo the jump", "Go back to where the last jump started.",
        JUMPING, do.jump_back,
    ),
    Command(
        "set_mark", ("m",), "set a mark", "Mark this place with a letter.", JUMPING, asks=True,
    ),
    Command(
        "to_mark", ("apostrophe",), "go to a mark", "List the marks and go to one, by its letter.",
        JUMPING, asks=True,
    ),
    Command(
        "watch", ("w",), "watch", "Watch an expression: x.grad, a*b, norm(W.grad).", WATCHES,
        asks=True, footer="watch", tells=True,
    ),
    Command(
        "watch_up", ("up", "k"), "watch above", "Choose the watch above.", WATCHES,
        watching.watch_up, place="watches",
    ),
    Command(
        "watch_down", ("down", "j"), "watch below", "Choose the watch below.", WATCHES,
        watching.watch_down, place="watches",
    ),
    Command(
        "edit_watch", ("enter",), "edit watch", "Edit the chosen watch.", WATCHES, asks=True,
        place="watches", tells=True,
    ),
    Command(
        "delete_watch", ("d", "delete"), "delete watch", "Delete the chosen watch.", WATCHES,
        watching.delete_watch, place="watches",
    ),
    Command(
        "toggle_watch_stop", ("b",), "stop at watch",
        "Let continuing stop where the chosen watch changes, or no longer.", WATCHES,
        watching.toggle_watch_stop, place="watches", tells=True,
    ),
    Command(
        "to_change_forward", ("t",), "to the next change",
        "Run to where the chosen watch next changes.", WATCHES, watching.to_change_forward,
        place="watches", tells=True,
    ),
    Command(
        "to_change_back", ("T",), "to the last change",
        "Go back to where the chosen watch last changed.", WATCHES, watching.to_change_back,
        place="watches", tells=True,
    ),
    Command(
        "up", ("up", "k"), "up", "Select the row above.", TREE,
        lens.moving(-1, 0, do.up), place="tree",
    ),
    Command(
        "down", ("down", "j"), "down", "Select the row below.", TREE,
        lens.moving(1, 0, do.down), place="tree",
    ),
    Command(
        "fold", ("left", "h"), "fold", "Fold the row; then up to its consumer.", TREE,
        lens.moving(0, -1, do.fold), place="tree",
    ),
    Command(
        "unfold", ("right", "l"), "unfold", "Unfold the row; then down to its first operand.",
        TREE, lens.moving(0, 1, do.unfold), place="tree",
    ),
    Command(
        "page_up", ("pageup",), "page up", "Select a screenful up.", TREE, do.page_up,
        place="tree",
    ),
    Command(
        "page_down", ("pagedown",), "page down", "Select a screenful down.", TREE, do.page_down,
        place="tree",
    ),
    Command("top", ("home",), "first row", "Select the first row.", TREE, do.top, place="tree"),
    Command(
        "bottom", ("end",), "last row", "Select the last row.", TREE, do.bottom, place="tree"
    ),
    Command(
        "inspect", ("enter",), "inspect",
        "Look at every element of the selected node; from a reference, go to the full drawing.",
        TREE, place="tree",
    ),
    Command(
        "edit_value", ("e",), "edit a value",
        "Put another value in the place of an input or a constant, and run all again.", WHAT_IF,
        asks=True, needs=Reruns, footer="edit", tells=True,
    ),
    Command(
        "nudge_up", ("plus", "equals_sign"), "nudge up",
        "Move the selected input up a little: gradient × nudge against the truth.", WHAT_IF,
        changing.nudge_up, needs=Reruns, footer="nudge", tells=True,
    ),
    Command(
        "nudge_down", ("minus",), "nudge down", "Move the selected input down a little.", WHAT_IF,
        changing.nudge_down, needs=Reruns, footer="nudge", tells=True,
    ),
    Command(
        "undo_edit", ("u",), "undo an edit", "Take the last edit or nudge back.", WHAT_IF,
        changing.undo, needs=Reruns, tells=True,
    ),
    Command(
        "reset_value", (), "reset the value", "Give the selected input its own value back.",
        WHAT_IF, changing.reset, needs=Reruns, tells=True,
    ),
    Command(
        "reset_all", ("U",), "reset all values", "Give every value back that the scenario has.",
        WHAT_IF, changing.reset_all, needs=Reruns, tells=True,
    ),
    Command(
        "compare", ("v",), "original and current",
        "Show what the scenario's own values and the edited ones come to, side by side.", WHAT_IF,
        asks=True, needs=Reruns, tells=True,
    ),
    Command(
        "origin", ("o",), "origin",
        "Show why a gradient is what it is: all paths it came along, the largest first.",
        REASONS, asks=True, needs=Recomputes, footer="origin", tells=True,
    ),
    Command(
        "flow", ("O",), "gradient flow",
        "Show how large the gradient is, layer by layer: where it vanishes, explodes or dies.",
        REASONS, asks=True, tells=True,
    ),
    Command(
        "lens", ("full_stop",), "one element",
        "Tell one element of what is sent alone, as a sum of numbers; arrows choose it.", REASONS,
        lens.toggle, needs=Recomputes, offer="one element", tells=True,
    ),
    Command(
        "autopsy", ("a",), "NaN autopsy",
        "Show where the first nan or inf came from, what it spoils and what cures it.", REASONS,
        asks=True, offer="NaN/inf: why?", tells=True,
    ),
    Command(
        "step_into", ("i",), "step into",
        "Open the selected operation into the primitives it is made of.", REASONS,
        stepping_in.step_into, needs=Opens, of_node=True,
        doing=stepping_in.opening, offer="open", tells=True,
    ),
    Command(
        "step_out", ("I",), "step out",
        "Close it again, and compare what its parts send with what it has sent.", REASONS,
        stepping_in.step_out, doing=stepping_in.closing, offer="out",
    ),
    Command(
        "search", ("slash",), "search",
        "Search names, operations, expressions and values: relu, grad > 1.", SEARCH, asks=True,
        footer="search",
    ),
    Command(
        "next_match", ("right_square_bracket",), "next match", "Select the next match.", SEARCH,
        searching.next_match,
    ),
    Command(
        "previous_match", ("left_square_bracket",), "previous match",
        "Select the match before.", SEARCH, searching.previous_match,
    ),
    Command(
        "play_forward", ("p",), "play", "Let the steps run by themselves, or pause.", PLAY,
        moving.play_forward, footer="play", offer="pause",
    ),
    Command(
        "play_back", ("P",), "play backwards", "Let the steps run backwards, or pause.", PLAY,
        moving.play_back, footer="play", offer="pause",
    ),
    Command(
        "slower", ("less_than_sign",), "slower", "Play more slowly.", PLAY, moving.slower
    ),
    Command(
        "faster", ("greater_than_sign",), "faster", "Play faster.", PLAY, moving.faster
    ),
    Command(
        "copy_value", ("y",), "copy the value", "Copy the selected node's value, all digits.",
        COPY, copies=value_text,
    ),
    Command(
        "copy_gradient", ("Y",), "copy the gradient",
        "Copy the selected node's gradient, all digits.", COPY, copies=gradient_text,
    ),
    Command(
        "copy_markdown", (), "copy the explanation as Markdown",
        "Copy what Chain rule says of this step, as Markdown.", COPY,
        copies=markdown_text, tells=True,
    ),
    Command(
        "copy_latex", (), "copy the explanation as LaTeX",
        "Copy what Chain rule says of this step, as LaTeX.", COPY,
        copies=latex_text, tells=True,
    ),
    Command(
        "save_picture", (), "save a picture of the screen",
        "Save the screen as an SVG file in the current folder.", COPY,
    ),
    Command(
        "next_pane", ("tab",), "next pane", "Move on to the next pane.", SCREEN, does="turn(1)"
    ),
    Command(
        "previous_pane", ("shift+tab",), "previous pane", "Back to the pane before.", SCREEN,
        does="turn(-1)",
    ),
    Command(
        "zoom", ("z",), "zoom", "Let the focused pane fill the screen, or no longer.", SCREEN,
        does="zoom",
    ),
    *(
        Command(
            f"border_{where}", (f"ctrl+{where}",), f"border {where}",
            f"Move the focused pane's border {words}.", SCREEN,
            does=f"move_border({right}, {down})",
        )
        for where, words, right, down in (
            ("up", "up", 0, -1), ("down", "down", 0, 1),
            ("left", "to the left", -2, 0), ("right", "to the right", 2, 0),
        )
    ),
    Command(
        "first_sizes", ("Z",), "first sizes",
        "Let the panes share the screen by what stands in them again.", SCREEN,
        does="first_sizes",
    ),
    Command(
        "present", ("ctrl+t",), "presentation",
        "Graph and chain rule alone, with more room between the rows, or all panes again.",
        SCREEN, does="present",
    ),
    Command(
        "jump_to_pane", ("ctrl+o",), "jump to a pane",
        "Show a letter on each pane; the letter leads there.", SCREEN, does="jump",
    ),
    Command(
        "switch_tree", ("G",), "modules and loops",
        "Switch between the graph and the tree of its modules and loops.", SCREEN,
        modules.switch_tree, doing=modules.switching,
    ),
    Command(
        "edit_source", ("E",), "edit the scenario",
        "Open the scenario in your editor, at the line of this step.", SCREEN, tells=True,
    ),
    Command(
        "read_again", ("R",), "read again",
        "Read the scenario's file again; where that failed, show what is wrong with it.", SCREEN,
    ),
    Command(
        "leave", ("escape",), "let go",
        "Let the selection follow the steps again; then back to the list of scenarios.", SCREEN,
    ),
    Command(
        "ask_again", ("ctrl+r",), "ask torch again",
        "Ask the oracles that failed once more, each in a new process.", SCREEN,
    ),
    Command(
        "suspend_process", ("ctrl+z",), "suspend",
        "Back to the shell, whose `fg` brings this screen back (not on Windows).", SCREEN,
    ),
    Command(
        "help", ("question_mark",), "help", "Show the keys and the marks.", SCREEN, footer="help"
    ),
    Command("command_palette", ("ctrl+p",), "palette", "Find any command by its name.", SCREEN),
    Command("quit", ("q",), "quit", "Leave the program.", SCREEN, footer="quit"),
)  # fmt: skip

BY_NAME = {command.name: command for command in COMMANDS}
