"""Mathematics drawn in cells: stacked fractions, sums aligned on their digits.

A Picture is a block of lines of one width; the functions here make small ones and put them side
by side or under each other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from rich.cells import cell_len
from textual.content import Content

from backprop_engine.mathematics.text import UNICODE, text_of
from backprop_engine.mathematics.tree import At, Branch, Form, Tree, flattened


@dataclass(frozen=True, slots=True)
class Picture:
    """Lines of text, each `width` cells wide."""

    lines: tuple[Content, ...]
    width: int

    @property
    def height(self) -> int:
        """How many lines."""
        return len(self.lines)


def picture(lines: Iterable[Content | str]) -> Picture:
    """A picture of `lines`, filled up with blanks on the right."""
    contents = [line if isinstance(line, Content) else Content(line) for line in lines]
    width = max((line.cell_length for line in contents), default=0)
    return Picture(tuple(line.pad_right(width - line.cell_length) for line in contents), width)


def styled(text: str, style: str) -> Content:
    """`text` in one style, never read as markup."""
    return Content.styled(text, style) if style else Content(text)


@dataclass(frozen=True, slots=True)
class Term:
    """One column of a formula: a fraction, or a sign where `below` is empty; under it a number."""

    above: str
    below: str = ""
    number: str = ""
    style: str = ""


def columns(terms: Sequence[Term], number_style: str = "bold") -> Picture:
    """Terms side by side on a common middle line, each centred, with their numbers under them."""
    rows: list[list[Content]] = [[], [], [], []]
    for term in terms:
        width = max(cell_len(text) for text in (term.above, term.below, term.number))
        bar = "─" * max(cell_len(term.above), cell_len(term.below))
        stack = (term.above, bar, term.below) if term.below else ("", term.above, "")
        for row, text in zip(rows, (*stack, term.number), strict=True):
            style = f"{term.style} {number_style}".strip() if row is rows[-1] else term.style
            row.append(styled(_centred(text, width), style))
    return picture(Content(" ").join(row) for row in rows)


class Fraction(NamedTuple):
    """`∂y/∂x` as it is drawn, one above the other."""

    above: str
    below: str


def fraction(tree: Tree | None, say: Callable[[str], str]) -> Fraction:
    """What stands above and below the bar of a derivative; nothing for anything else."""
    if not isinstance(tree, Branch) or tree.form is not Form.PARTIAL:
        return Fraction("", "")
    above, below = (say(tree.signs[0] + text_of(part)) for part in tree.parts)
    return Fraction(above, below)


def formula(tree: Tree, say: Callable[[str], str], style: str = "") -> Picture:
    """A formula with every `∂a/∂b` in it drawn as a stacked fraction: three lines, or one.

    `say` makes a text what the terminal can show.
    """

    def written(branch: Branch) -> Iterable[str | Fraction | At]:
        return (fraction(branch, say),) if branch.form is Form.PARTIAL else UNICODE.spelled(branch)

    rows, is_stacked = ["", "", ""], False
    pieces: list[str | Fraction] = flattened(tree, written, UNICODE.leaf, ("(", ")"))
    for piece in pieces:
        if isinstance(piece, str):
            _append(rows, "", say(piece), "")
            continue
        width, is_stacked = max(map(cell_len, piece)), True
        _append(rows, _centred(piece.above, width), "─" * width, _centred(piece.below, width))
    return picture(styled(row, style) for row in (rows if is_stacked else rows[1:2]))


def _append(rows: list[str], *texts: str) -> None:
    width = max(cell_len(text) for text in texts)
    for index, text in enumerate(texts):
        rows[index] += text + " " * (width - cell_len(text))


def _centred(text: str, width: int) -> str:
    spare = width - cell_len(text)
    return " " * (spare // 2) + text + " " * (spare - spare // 2)


def aligned(numbers: Sequence[str]) -> list[str]:
    """Texts of one width with their decimal points under each other; others end together."""
    if any("e" in text or " " in text for text in numbers):
        width = max(map(cell_len, numbers))
        return [" " * (width - cell_len(text)) + text for text in numbers]
    wholes = [text.partition(".")[0] for text in numbers]
    rests = [text[len(whole) :] for text, whole in zip(numbers, wholes, strict=True)]
    before, after = max(map(cell_len, wholes)), max(map(cell_len, rests))
    return [
        whole.rjust(before) + rest.ljust(after) for whole, rest in zip(wholes, rests, strict=True)
    ]


def beside(pictures: Sequence[Picture], gap: int) -> Picture:
    """Pictures side by side, their first lines level."""
    height = max((picture_.height for picture_ in pictures), default=0)
    between = Content(" " * gap)
    rows = []
    for y in range(height):
        cells = [
            picture_.lines[y] if y < picture_.height else Content(" " * picture_.width)
            for picture_ in pictures
        ]
        rows.append(between.join(cells))
    return picture(rows)


def flow(pictures: Sequence[Picture], width: int, gap: int) -> list[Picture]:
    """Pictures in lines of text: side by side as far as `width` allows, then on below."""
    bands: list[list[Picture]] = []
    for picture_ in pictures:
        if bands:
            used = sum(each.width + gap for each in bands[-1])
            if used + picture_.width <= width:
                bands[-1].append(picture_)
                continue
        bands.append([picture_])
    return [beside(band, gap) for band in bands]
