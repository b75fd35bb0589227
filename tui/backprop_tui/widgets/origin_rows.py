"""The origin of a gradient as lines: its paths, their products, their steps, and the sum."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from rich.cells import cell_len
from textual.content import Content

from backprop_engine.basics import notation
from backprop_engine.basics.values import Value
from backprop_engine.checking.compare import compare
from backprop_engine.mathematics.text import text_of
from backprop_engine.mathematics.tree import is_number
from backprop_engine.reading.explain import explain, expression
from backprop_engine.reading.paths.origin import Origin, Path
from backprop_engine.trace import Trace
from backprop_tui.view.glyphs import Glyphs
from backprop_tui.view.text import figure, fit, left, printable, right

_MUTED = "$foreground-muted"
_POSITIVE, _NEGATIVE = "$primary", "$secondary"
_SHARE, _FIGURE = 6, 12
_LEAST_BAR, _MOST_BAR = 4, 12
_MOST_LOOKED_AT = 2_000
_ENDS = 24
"""Of a path with more steps, so many at either end are looked at; more never fit."""
_DIGITS = 4
_MOST_EXACT = 45
"""Digits of a count that are told one by one."""
_TIMES = " · "
_ARROW = " → "


def count_text(count: int, width: int = _MOST_EXACT + _MOST_EXACT // 3) -> str:
    """A number of paths: every digit, or, where `width` is too little, about how many."""
    if count.bit_length() * math.log10(2) < width and len(text := f"{count:,}") <= width:
        return text
    # Python refuses to write out numbers of more than some thousand digits.
    shift = max(count.bit_length() - 64, 0)
    logarithm = math.log10(count >> shift) + shift * math.log10(2)
    exponent = math.floor(logarithm)
    return f"about {10 ** (logarithm - exponent):.2f}·{notation.power('10', exponent)}"


def heading(origin: Origin) -> str:
    """`∂y/∂x = 7`, the gradient that is asked about."""
    output, node = map(origin.trace.label, (origin.output, origin.node))
    return f"∂{output}/∂{node} = {notation.short(origin.gradient)}"


def summary(origin: Origin, received: int, expected: int) -> list[str]:
    """What the lists show, in a sentence or two."""
    output, node = map(origin.trace.label, (origin.output, origin.node))
    leads = "path leads" if origin.count == 1 else "paths lead"
    carries = "It carries" if origin.count == 1 else "Each carries"
    whole = "that is the gradient" if origin.count == 1 else "their sum is the gradient"
    start = f"{count_text(origin.count)} {leads} from {output} to {node}. "
    if not origin.paths:
        lines = [start + "Nothing is carried: every way passes a local derivative of 0."]
    elif origin.is_scalar:
        lines = [f"{start}{carries} seed × local × local …; {whole}."]
    else:
        lines = [f"{start}{carries} a vector-Jacobian product; {whole}."]
        if len(origin.paths) > 1:
            lines.append("Ranked by the norm of what they carry; shares are along the gradient.")
    before = (origin.trace.passes[origin.pass_.index - 1].grads or {}).get(origin.node)
    if before is not None:
        left = f"{node}.grad adds it to {notation.short(before)}"
        lines.append(f"{left}, which an earlier pass has left there.")
    if received < expected:
        lines.append(f"At the cursor {received} of {expected} contributions have come so far.")
    return lines


# The list of paths


def bar_width(width: int) -> int:
    """The cells of a path's bar."""
    return max(_LEAST_BAR, min(_MOST_BAR, width // 14))


def paths_header(origin: Origin, width: int) -> str:
    """The names of the columns."""
    carries = "carries" if origin.is_scalar else "norm"
    ways, products = _columns(width)
    product = "product" if origin.is_scalar else "growth of the norm"
    lead = right("share", _SHARE) + "  " + " " * bar_width(width) + right(carries, _FIGURE)
    return f"{lead}  {left('path', ways)}  {fit(product, products)}"


def _columns(width: int) -> tuple[int, int]:
    """The cells of path and product."""
    room = width - _SHARE - 2 - bar_width(width) - _FIGURE - 4
    ways = max(room // 2, 8)
    return ways, max(room - ways, 8)


def path_row(origin: Origin, path: Path, width: int, glyphs: Glyphs) -> Content:
    """One path: its share, what it carries, the way and the product."""
    ways, products = _columns(width)
    is_negative = path.share is not None and path.share < 0
    style = _NEGATIVE if is_negative else _POSITIVE
    return Content.assemble(
        (right(share_text(path.share), _SHARE), ""),
        ("  " + _bar(origin, path, bar_width(width), "=" if glyphs.is_ascii else "▇"), style),
        (right(glyphs.text(_carried(path.carried, path.size)), _FIGURE), f"bold {style}"),
        ("  " + left(glyphs.text(way_text(origin, path, ways)), ways), ""),
        ("  " + fit(glyphs.text(product_text(path, products)), products), _MUTED),
    )


def share_text(share: float | None) -> str:
    """A percentage of the gradient; small ones are not rounded to nothing."""
    if share is None:
        return "–"
    percent = 100 * share
    if abs(percent) >= 9_999.5:
        return "≫" if percent > 0 else "≪"
    if 0 < abs(percent) < 0.5:
        return "<1 %" if percent > 0 else ">−1 %"
    return f"{percent:.0f} %".replace("-", "−")


def _bar(origin: Origin, path: Path, width: int, block: str) -> str:
    """As long as its share of the whole, or of the largest share where paths cancel each other;
    without shares, as it is large beside the largest.
    """
    largest = origin.paths[0].size
    if path.share is not None and math.isfinite(path.share):
        shares = (abs(each.share) for each in origin.paths if each.share is not None)
        part = abs(path.share) / max(1.0, *filter(math.isfinite, shares))
    elif not math.isfinite(largest) or not largest:
        part = 1.0 if path.size == largest or math.isnan(path.size) else 0.0
    else:
        part = path.size / largest
    return (block * max(round(part * width), 1)).ljust(width)


def _carried(value: Value, size: float) -> str:
    """A scalar with its sign, or an array's norm."""
    return figure(size if isinstance(value, np.ndarray) else value, _FIGURE - 1)


def way_text(origin: Origin, path: Path, width: int) -> str:
    """`y → %3 → x`; of a long way the ends, and where something is multiplied by more than 1."""
    trace, count = origin.trace, len(path.steps)
    is_long = count > _MOST_LOOKED_AT
    steps = (*path.steps[:_ENDS], *path.steps[-_ENDS:]) if is_long else path.steps
    nodes = (origin.output, *(int(trace.receivers[step]) for step in steps))
    names = [printable(trace.label(node)) for node in nodes]
    if is_long:
        return abbreviated(names, _ARROW, width, is_cut=True)
    kept = [True, *(factor != 1 for factor in path.factors[:-1]), True]
    return _condensed(names, kept[: len(names)], _ARROW, width)


def product_text(path: Path, width: int) -> str:
    """`1 · 1 · 4`: the seed, then one factor for each step; of a long one those that are not 1."""
    factors, is_cut = path.factors, len(path.factors) > _MOST_LOOKED_AT
    if is_cut:
        factors = [*factors[:_ENDS], *factors[-_ENDS:]]
    texts = [
        notation.in_brackets(notation.number(factor, _DIGITS)) for factor in (path.start, *factors)
    ]
    if is_cut:
        return abbreviated(texts, _TIMES, width, is_cut=True)
    kept = [True, *(factor != 1 for factor in factors)]
    return _condensed(texts, kept, _TIMES, width)


def _condensed(parts: Sequence[str], kept: Sequence[bool], joint: str, width: int) -> str:
    """All parts, or, where that is too long, those that are kept, a `…` for every gap."""
    if cell_len(joint.join(parts)) <= width:
        return joint.join(parts)
    shown: list[str] = []
    for part, is_kept in zip(parts, kept, strict=True):
        if is_kept:
            shown.append(part)
        elif shown[-1] != "…":
            shown.append("…")
    text = joint.join(shown)
    return text if cell_len(text) <= width else abbreviated(parts, joint, width)


def abbreviated(parts: Sequence[str], joint: str, width: int, *, is_cut: bool = False) -> str:
    """`parts` joined, in at most `width` cells where that can be: the middle ones go first.

    `is_cut`: there are more in the middle than `parts` has.
    """
    whole = joint.join(parts)
    if not is_cut and cell_len(whole) <= width:
        return whole
    kept_left, kept_right = len(parts) // 2, len(parts) - len(parts) // 2
    while kept_left + kept_right > 2:
        text = joint.join([*parts[:kept_left], "…", *parts[len(parts) - kept_right :]])
        if cell_len(text) <= width:
            return text
        if kept_left >= kept_right:
            kept_left -= 1
        else:
            kept_right -= 1
    return fit(joint.join([*parts[:1], "…", *parts[-1:]]), width)


# The sum


def sum_rows(origin: Origin, width: int, glyphs: Glyphs) -> list[Content]:
    """The rest, and whether everything together is the gradient."""
    indent = _SHARE + 2 + bar_width(width)
    rows: list[Content] = []
    if origin.rest_count:
        noun = "path" if origin.rest_count == 1 else "paths"
        room = max(width - indent - _FIGURE - 2 - len("the rest:  paths in one sum"), 8)
        rest = f"the rest: {count_text(origin.rest_count, room)} {noun} in one sum"
        if not origin.is_ranked and origin.paths:
            rest = f"{rest}; listed are the largest found"
        rows.append(_sum_row(rest, origin.rest, indent, width, glyphs, ""))
    apart = compare(origin.sum, origin.gradient).apart(2)
    total = f"in all · {apart} from the recorded {notation.short(origin.gradient)}"
    rows.append(_sum_row(total, origin.sum, indent, width, glyphs, "bold"))
    return rows


def _sum_row(
    text: str, value: Value, indent: int, width: int, glyphs: Glyphs, style: str
) -> Content:
    number = figure(value, _FIGURE - 1)
    room = max(width - indent - _FIGURE - 2, 8)
    return Content.assemble(
        (" " * indent + right(glyphs.text(number), _FIGURE), style),
        ("  " + fit(glyphs.say(text), room), _MUTED),
    )


# The steps of a path


class PathStep(NamedTuple):
    """One step of a path."""

    step: int
    factor: float | None
    """None for the seed."""
    carried: float
    """What is carried after it: with its sign for scalars, the norm for arrays."""


def path_steps(origin: Origin, path: Path, most: int) -> list[PathStep | None]:
    """The seed and the path's steps; of more than `most` the ends, None between them."""
    count, steps = len(path.steps), (origin.pass_.start, *path.steps)
    if count < most:
        return list(_rows(steps, (None, *path.factors), path.start))
    head, tail = most // 2, count - most // 2
    before = math.prod(path.factors[:tail], start=path.start)
    return [
        *_rows(steps[:head], (None, *path.factors[: head - 1]), path.start),
        None,
        *_rows(steps[tail + 1 :], path.factors[tail:], before),
    ]


def _rows(
    steps: Sequence[int], factors: Sequence[float | None], before: float
) -> Iterator[PathStep]:
    """Steps with their factors, and what is carried after each; `before` is before the first."""
    for step, factor in zip(steps, factors, strict=True):
        before *= 1.0 if factor is None else factor
        yield PathStep(step, factor, before)


def step_row(origin: Origin, row: PathStep, width: int, glyphs: Glyphs) -> Content:
    """One step of a path: what sends to what, the factor, and how much is carried after it."""
    trace, factor = origin.trace, ""
    if row.factor is None:
        told = f"seed of {trace.label(origin.output)}"
    else:
        told = _edge_text(trace, row.step)
        factor = f"× {notation.in_brackets(notation.number(row.factor, 6))}"
        if origin.is_scalar:
            factor += _algebra(trace, row.step)
    lead = right(f"step {row.step:,}", 12)
    factors = max(min(width // 4, 30), 10)
    room = max(min(width - len(lead) - factors - 3 - _FIGURE - 2, 50), 10)
    return Content.assemble(
        (lead, _MUTED),
        ("  " + left(glyphs.say(told), room), ""),
        (" " + left(glyphs.say(factor), factors), _NEGATIVE),
        (" " + glyphs.text(f"= {notation.number(row.carried, 6)}"), "bold"),
    )


def _edge_text(trace: Trace, step: int) -> str:
    sender, receiver, _ = trace.edge(step)
    return f"{trace.label(sender)} = {expression(trace, sender)} → {trace.label(receiver)}"


def _algebra(trace: Trace, step: int) -> str:
    """` (2·x)`: the local derivative, where it is not a plain number."""
    algebra = explain(trace, step).algebra
    return "" if algebra is None or is_number(algebra) else f" ({text_of(algebra)})"


def shut_row(origin: Origin, step: int, width: int, glyphs: Glyphs) -> Content:
    """A step that lets nothing through."""
    trace = origin.trace
    told = _edge_text(trace, step)
    lead = right(f"step {step:,}", 12)
    return Content.assemble(
        (lead, _MUTED),
        ("  " + fit(glyphs.say(told), max(width - len(lead) - 26, 10)), ""),
        ("  local derivative 0", _NEGATIVE),
    )
