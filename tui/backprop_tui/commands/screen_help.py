"""What each screen beside the debugger's own says of itself when help is asked for in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from backprop_engine.reading.conditions import HELP as CONDITION_HELP
from backprop_engine.reading.watches import HELP as WATCH_HELP
from backprop_tui.commands.pane_help import PaneHelp
from backprop_tui.session.search.query import HELP as SEARCH_HELP

_ANSWER: Final = (("enter", "Do it; a mistake is told and the text stays."), ("esc", "Leave it."))
_CHOOSE: Final = ("↑ ↓ k j", "Choose a line.")

SCREEN_HELP: Final[Mapping[str, PaneHelp]] = {
    "picker": PaneHelp(
        "Scenarios",
        "Each entry is a scenario, a program whose backward pass you can step through: its title, "
        "its file and what it is about. Those that cannot be opened are marked ✗ and say why. "
        "Recordings of real runs (.bp) and Python scripts stand at the end, what was opened last "
        "at the top.",
        (
            ("a letter", "Filter: what has all words typed in its title, file or first words."),
            ("/", "The same, with any letter to begin with; esc shows all again."),
            ("enter", "Open it."),
            _CHOOSE,
            ("q", "Leave the program."),
        ),
    ),
    "problem": PaneHelp(
        "A scenario that cannot be opened",
        "The place in the file, the line with a mark under what is wrong, what was expected there, "
        "and how to put it right.",
        (
            (
                "y n",
                "Of a Python script: run it, and record what it does, or not; nothing ran yet.",
            ),
            ("R", "Read the file again, once it is mended."),
            ("↑ ↓", "Scroll."),
            ("esc", "Back to the list; without one, leave the program."),
            ("q", "Leave the program."),
        ),
    ),
    "trouble": PaneHelp(
        "A mistake in what was saved",
        "The file has been saved with a mistake, so the last good run is still the one you see. "
        "As soon as the file is mended it is read by itself, and the debugger goes on.",
        (("↑ ↓", "Scroll."), ("esc", "Back to the last good run.")),
    ),
    "breakpoints": PaneHelp(
        "Breakpoints",
        "What c and C stop at, one a line: ■ is on, □ is off. 2 of 5 hits says that two of its "
        "five places lie before the cursor; ignores 1 that its first hit is passed by.",
        (
            ("enter", "Edit it."),
            ("a", "Add one."),
            ("space", "Switch it off, or on again."),
            ("d del", "Delete it."),
            ("+ = -", "Pass by one hit more, or one fewer."),
            ("g n", "Close the list and go to its next hit."),
            _CHOOSE,
            ("esc", "Close the list."),
        ),
    ),
    "what-if": PaneHelp(
        "What if",
        "What the scenario's own values come to on the left, what your edited ones come to on the "
        "right; ≠ marks what differs. At the top stands what was edited.",
        (
            ("u", "Take the last edit back."),
            ("U", "Give every value back that the scenario has."),
            ("↑ ↓ k j", "Scroll."),
            ("esc", "Close it."),
        ),
    ),
    "origin": PaneHelp(
        "Origin",
        "A gradient is a sum over paths: every way from the output down to the node sends the "
        "product of the local derivatives along it. The paths stand above, the largest first, and "
        "below the steps of the one that is highlighted.",
        (
            ("enter", "From a path to its steps; from a step to that place in the run."),
            ("tab", "To the other list."),
            _CHOOSE,
            ("esc", "Back."),
        ),
    ),
    "flow": PaneHelp(
        "Gradient flow",
        "A whole backward pass, a row a layer, weight or named value, in the order in which it "
        "runs: the Euclidean norm of its gradient, the largest element, the share of zeros, and "
        "∆w/w, how far the optimiser's next step moves a weight in proportion to it (about 1e-3 "
        "is usual). The bar is the root mean square, which does not depend on the size, on a "
        "logarithmic scale. Compared with the first row below the output, less than a thousandth "
        "is vanishing, more than a thousandfold is exploding; dead is 0 in every element, and ! "
        "tells the share of nan and inf. Of a weight that is used several times, as in an RNN, "
        "each contribution has a row, with its time step.",
        (
            ("enter", "To the step in which the last of it comes; the node is selected."),
            _CHOOSE,
            ("esc", "Close it."),
        ),
    ),
    "autopsy": PaneHelp(
        "Autopsy",
        "Where the first nan or inf was born, from which figures, and at which place of the "
        "source; what usually cures it, with the lesson of the gallery that shows it; then the way "
        "it took from there to what it spoils.",
        (
            ("enter", "To the step, or the lesson."),
            _CHOOSE,
            ("esc", "Close it; back from a lesson."),
        ),
    ),
    "marks": PaneHelp(
        "Marks",
        "A mark is a letter for a place in the run. m and a letter sets one, ' and the letter "
        "leads back there; the timeline shows them.",
        (("a letter", "Set that mark here, or go to it."), ("esc", "Close it.")),
    ),
    "goto": PaneHelp(
        "Go to",
        "120 is the place with 120 steps done, 50% the middle, +10 and -3 count from here, and a "
        "name leads to the next step in which it takes part.",
        _ANSWER,
    ),
    "search": PaneHelp(
        "Search",
        SEARCH_HELP,
        (
            ("enter", "Keep the match; then ] and [ lead to the next and the one before."),
            ("esc", "Leave everything as it was."),
        ),
    ),
    "predict": PaneHelp(
        "A question",
        "What does this step send? A number is right to the digits you type; an array is written "
        "[[1, 2], [3, 4]]; algebra in any form, with the names of the scenario, where g, or "
        "upstream, is the gradient that has come down to the node: g*(1 - t**2). A wrong answer "
        "is told its mistake. What would tell is closed until x ends the questions.",
        (
            ("enter", "Judge the answer; a right one performs the step."),
            ("tab", "A hint: the rule, then the algebra with holes, then the numbers; then show."),
            ("X", "Show the answer and go on, where no name of the scenario begins with X."),
            ("esc", "Leave the question open; s or n asks it again."),
        ),
    ),
    "breakpoint": PaneHelp("A breakpoint with a condition", CONDITION_HELP, _ANSWER),
    "watch": PaneHelp("A watch", WATCH_HELP, _ANSWER),
    "edit": PaneHelp(
        "Another value",
        "A value in the place of an input's or a constant's: 3, -0.5, 1e-3, nan, inf, for the "
        "selected one; or x = 3, and W[0,1] = 2.5 for one element. Everything is run again with "
        "it, and the cursor stays. u takes it back.",
        _ANSWER,
    ),
}
"""By the `HELP` of the screen."""
