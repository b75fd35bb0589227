"""What help says: of each pane and screen, and of the words on them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from backprop_engine.basics.dataclass import dataclass
from backprop_engine.reading.conditions import HELP as CONDITION_HELP
from backprop_engine.reading.watches import HELP as WATCH_HELP
from backprop_tui.inspecting.keys import help_entries
from backprop_tui.session.search.searching import HELP as SEARCH_HELP


@dataclass(frozen=True, slots=True)
class PaneHelp:
    """A pane in its own words."""

    title: str
    shows: str
    """What it shows, and how to read it."""
    keys: tuple[tuple[str, str], ...] = ()
    """Keys that the table of commands does not have, and what they do here."""
    commands: str = ""
    """Which commands are heard here alone: `tree` or `watches`."""


_SCROLLING: Final = (("↑ ↓ k j", "Scroll."), ("PgUp PgDn", "Scroll a screenful."))

PANE_HELP: Final[Mapping[str, PaneHelp]] = {
    "graph": PaneHelp(
        "Graph",
        "Each row is a node: its name and how it is made, its value, its gradient and the "
        "grad_fn torch gives it. The outputs stand at the top, what a node is made of hangs under "
        "it. A value used twice is drawn in full once; elsewhere ↗ refers to it. The row of the "
        "node at work is coloured, and 3 → 7 is what the step about to run makes of a gradient. "
        "Of a deep tree the left is out of sight: in hidden, depth 41 says what the rows below "
        "belong to, and ┄3 stands for three more levels of lines. G shows the tree of modules and "
        "loops in its place: each node once, in what it belongs to. A group's row has the number "
        "of its nodes, its output's value, and the norm of the gradient that came in by it; what "
        "is folded opens while the steps are inside.",
        (("click", "On a name, select it; on the mark before it, fold, or follow a reference."),),
        commands="tree",
    ),
    "chain": PaneHelp(
        "Chain rule",
        "The step about to run, three times over: as algebra, with this run's numbers under it, "
        "and in words. Upstream is what has come down to the node, local its own derivative; "
        "their product is sent on. Below stands the sum it is added to.",
        _SCROLLING,
    ),
    "torch": PaneHelp(
        "Torch",
        "The same step computed by PyTorch: what is sent, what the receiver then holds, and value "
        "and gradient of the selected node. Off by counts units in the last place (ulp): 0 is the "
        "same to the last bit. ✗ stands only where rounding cannot be the reason.",
        _SCROLLING,
    ),
    "yours": PaneHelp(
        "Yours",
        "Your own engine, layers or answers, named with --yours, or one of ours with a mistake, "
        "named with --broken or in the palette (^p broken): what is first wrong by itself, and "
        "below it its numbers for the same step. c stops there; save your file and it runs again.",
        _SCROLLING,
    ),
    "symbolic": PaneHelp(
        "Symbolic",
        "The gradient of the selected input as a formula, found by SymPy without our rules, and "
        "what it comes to at this input. It appears when you first look here.",
        _SCROLLING,
    ),
    "source": PaneHelp(
        "Source",
        "The scenario's own text. What is marked is the expression that made the node at work.",
        (("↑ ↓ k j", "Scroll."), ("← → h l", "Scroll sideways.")),
    ),
    "notes": PaneHelp(
        "Notes",
        "What the scenario says about itself, and above it a hint on the node at work, if there "
        "is one.",
        _SCROLLING,
    ),
    "watches": PaneHelp(
        "Watches",
        "Expressions you keep an eye on: now, before the last step, and over the whole timeline. "
        "≠ marks what the last step has changed, ■ one that continuing stops at.",
        (("click", "On a line, choose it; on its curve, go to that place."),),
        commands="watches",
    ),
    "cells": PaneHelp(
        "Inspector",
        "Every element of one array: its indices stand above and to the left, a vector is wrapped "
        "into rows of ten or of five. Orange is positive, blue negative, the stronger the larger; "
        "nan and inf are red. Below stand the element in brackets with all its digits, and the "
        "statistics and the histogram of the whole array.",
        (
            ("↑ ↓ ← →", "Go to another element; so do h j k l, PgUp, PgDn, home and end."),
            *help_entries(),
        ),
    ),
}
"""By the id of the widget that has the focus."""


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
        "upstream, is the gradient that has come down to the node: g·(1 − t²), g*(1 - t^2) or, as "
        "it stands above, ∂y/∂t·(1 − t²). A wrong answer is told its mistake. What "
        "would tell is closed until x ends the questions.",
        (
            ("enter", "Judge the answer; a right one performs the step."),
            ("tab", "A hint: the rule, then the algebra with holes, then the numbers."),
            ("X", "On an empty line: show the answer and go on. Of a name it is a letter."),
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


GLOSSARY: Final[Mapping[str, str]] = {
    "node": "One value: an input, a constant, or the output of an operation.",
    "leaf": (
        "A node that was given and not computed: an input, a weight, a constant. A gradient "
        "that comes to a leaf goes no further."
    ),
    "operand": "A node that another is computed from: x and 2 in x·2.",
    "consumer": "A node that uses another as its operand: it sends it a gradient.",
    "%1": (
        "A name of ours for a value that the program gives none; its row tells how it is made. "
        "The same value has the same number in every pane."
    ),
    "h@2": (
        "The second value that is called h: a name that is assigned again, as in a loop, is "
        "numbered. h alone is the last of them."
    ),
    "grad_fn": (
        "What torch calls the node that remembers how a value was made, such as "
        "MulBackward0. A leaf has none."
    ),
    "requires grad": "A gradient is asked for, of it or of something it is computed from.",
    "seed": (
        "The gradient that a backward pass starts with: 1 for a number, for an array what "
        "`backward(gradient=…)` is given."
    ),
    "upstream": (
        "The gradient of a node when its turn comes: what has come down to it from all "
        "its consumers."
    ),
    "local derivative": (
        "How much an operation's output moves with one of its operands, all else held still."
    ),
    "contribution": (
        "What a node sends to one operand: upstream × local; for arrays a vector-Jacobian product."
    ),
    "gradient": "The sum of the contributions that a node has received in this pass.",
    ".grad": "Of a leaf: its gradients summed over the passes, until zero_grad.",
    "step": (
        "One entry of the timeline: a value computed, a contribution sent, a .grad cleared, "
        "an update of the weights."
    ),
    "node step": "All contributions of one node, one after the other (n).",
    "pass": "One phase of the run: forward, each backward(), zero_grad, an optimiser's step.",
    "cursor": "Where you are: so many steps are done, and the next is about to run.",
    "oracle": "Who computes the same gradients independently: torch, finite differences, sympy.",
    "ulp": (
        "Unit in the last place: how far apart two neighbouring floating-point numbers are. "
        "0 ulp is the same to the last bit; a few are rounding."
    ),
    "broadcast": (
        "An array copied along an axis to fit another; on the way back what it gets is "
        "summed along that axis."
    ),
    "composite": "An operation made of simpler ones, such as softmax: i opens it.",
    "group": "A module or an iteration of a loop that nodes belong to (G).",
    "norm": "The Euclidean norm, ‖x‖: the root of the sum of the squares of all elements.",
    "vanishing": (
        "A gradient that is next to nothing when it arrives, as a product of many small "
        "factors is; exploding is the opposite, dead is 0 everywhere (O)."
    ),
    "birth": "Where a nan or inf comes from numbers that were finite (a).",
    "what if": "The run with other values than the scenario's (e, + and -).",
}

SIGNS: Final[Mapping[str, str]] = {
    "┃": "on the timeline: continuing stops there",
    "a … z": "on the timeline: a mark of yours (m)",
    "━ ─": "on the timeline: done, and to come",
    "3 → 7": "what the step about to run makes of a gradient",
    "‖0.3‖": "the norm of what is not kept whole, or of what came into a group",
    "2×3 ▁▃▀": (
        "the shape of an array and its elements as bars, which start at zero: what is "
        "negative hangs down, ! is nan or inf"
    ),
    "┄3": "three more levels of lines",
    "▸ 5 more": "so many rows are folded away",
    "was 2": "the value that an edit has changed",
    "⊙": "multiplied element by element",
    "–": "no gradient yet, or none in this pass: that is not the same as 0",
}
"""Signs that are more than a mark; see `LEGEND` for those."""
