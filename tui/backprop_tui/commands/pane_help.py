"""What each pane says of itself when help is asked for in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from backprop_engine.basics.dataclass import dataclass
from backprop_tui.inspecting.keys import help_entries


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
