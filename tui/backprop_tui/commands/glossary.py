"""The words of the screen and of the help, each in a sentence or two."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

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
