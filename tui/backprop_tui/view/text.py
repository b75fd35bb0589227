"""Text from scenarios and traces, made fit for cells of a terminal."""

from __future__ import annotations

import re
import textwrap

import numpy as np
from rich.cells import cell_len, set_cell_size
from textual.content import Content

from backprop_engine.basics import notation
from backprop_engine.basics.sanitised import printable as printable
from backprop_engine.basics.summary import Summary
from backprop_engine.basics.values import Known

_FEWEST_DIGITS = 2
_PATH = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z0-9_]+)+(@\d+)?")
_LEAST_OF_PATH = 8
"""Cells: with fewer, what stands behind a path is left out."""


def fit(text: str, width: int) -> str:
    """`text` in at most `width` cells: cut after a whole word, where there is one, with a `…`."""
    if cell_len(text) <= width:
        return text
    if width <= 1:
        return "…"[:width]
    kept = set_cell_size(text, width - 1).rstrip()
    if text[len(kept) : len(kept) + 1] != " " and " " in kept[width // 2 :]:
        kept = kept.rpartition(" ")[0]
    return kept + "…"


def cut(text: str, width: int) -> str:
    """`text` in at most `width` cells, cut at its end."""
    return text if cell_len(text) <= width else set_cell_size(text, width - 1).rstrip() + "…"


def fit_path(name: str, width: int) -> str:
    """`name` in at most `width` cells. What tells `encoder.layers.0.out_proj.weight` from its
    neighbours is its end, `…out_proj.weight`; anything else is cut at its end.
    """
    path, joint, count = name.partition(" · ")
    room = width - cell_len(joint + count)
    if cell_len(name) <= width or not _PATH.fullmatch(path):
        return cut(name, width)
    if room < _LEAST_OF_PATH:
        joint, count, room = "", "", width
    if len(path) > room:
        end = path[len(path) - room + 1 :]
        is_whole = path[-len(end) - 1] == "." or "." not in end
        path = "…" + (end if is_whole else end.partition(".")[2])
    return path + joint + count


def left(text: str, width: int) -> str:
    """`text` in exactly `width` cells, from the left."""
    return set_cell_size(fit(text, width), width)


def right(text: str, width: int) -> str:
    """`text` in exactly `width` cells, to the right."""
    text = fit(text, width)
    return " " * (width - cell_len(text)) + text


def wrapped(
    text: str, width: int, style: str = "", *, indent: str = "", hyphens: bool = True
) -> list[Content]:
    """`text` in lines of at most `width` cells, broken between words; never read as markup."""
    lines = textwrap.wrap(
        text, width, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=hyphens
    )
    return [Content.styled(line, style) for line in lines]


def figure(value: Known | None, width: int, *, full: bool = False) -> str:
    """`value` in at most `width` cells, `full` digits if they fit; a number loses digits, never
    its size. An array whose elements do not fit is its shape and a picture. Empty for None.
    """
    if value is None:
        return ""
    if isinstance(value, np.ndarray):
        text = notation.listed(value, width) or notation.pictured(value, width)
        return text if len(text) <= width else text[: width - 1] + "…"
    text = notation.full(value) if full else ""
    text = text or notation.short(value)
    if len(text) <= width:
        return text
    if isinstance(value, Summary):
        return text[: width - 1] + "…"
    for digits in range(min(width, 17), _FEWEST_DIGITS - 1, -1):
        text = notation.number(value, digits)
        if len(text) <= width:
            break
    return text


def shown(value: Known | None, width: int) -> str:
    """`value` in exactly `width` cells, with all its digits if they fit; `–` for None."""
    return right("–" if value is None else figure(value, width, full=True), width)
