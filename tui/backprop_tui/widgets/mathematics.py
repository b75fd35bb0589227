"""Mathematics drawn in cells: stacked fractions, sums aligned on their digits.

A Picture is a block of lines of one width; the functions here make small ones and put them side
by side or under each other.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

from rich.cells import cell_len
from textual.content import Content

from backprop_engine.basics.dataclass import dataclass
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


styled = Content.styled
"""A text in one style, or in none; never read as markup."""


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


def fraction(tree: Tree | None, say: Callable[[str], str] = str) -> Fraction:
    """What stands above and below the bar of a derivative; nothing for anything else."""
    if not isinstance(tree, Branch) or tree.form is not Form.PARTIAL:
        return Fraction("", "")
    above, below = (say(tree.signs[0] + text_of(part)) for part in tree.parts)
    return Fraction(above, below)


Say = Callable[[str], str]
"""Makes a text what the terminal can show."""
Roles = Mapping[Fraction, str]
"""The styles of the derivatives in a formula."""

_OPERATOR = re.compile(r" [=+−⊙@⊗⋆×·] | (?:if|else) ")
_END = re.compile(r"(?<=[^ ])·(?! )|, ")
_CUT = "\0"
_INDENT = "  "
"""Before the lines in which a formula goes on."""


def formula(
    tree: Tree,
    say: Say,
    style: str = "",
    width: int = 0,
    roles: Roles | None = None,
    *,
    is_stacked: bool = True,
) -> Picture:
    """A formula with every `∂a/∂b` in it drawn as a stacked fraction: three lines, or one.

    Where that is wider than `width`, if any, or not wanted, it is written on one line, or on
    several that are broken at operators.
    """

    def written(branch: Branch) -> Iterable[str | Fraction | At]:
        is_partial = branch.form is Form.PARTIAL
        return (fraction(branch),) if is_partial else UNICODE.spelled(branch)

    pieces: list[str | Fraction] = flattened(tree, written, UNICODE.leaf, ("(", ")"))
    atoms = _atoms(pieces, say, style, {} if roles is None else roles)
    drawn = _stacked(atoms)
    if is_stacked and not (width and drawn.width > width):
        return drawn
    return _broken(atoms, width or sum(atom.line.cell_length for atom in atoms))


class _Atom(NamedTuple):
    """A piece of a formula that is never broken."""

    above: str
    """The whole, where `below` is empty."""
    below: str
    style: str

    @property
    def line(self) -> Content:
        """On one line."""
        return styled(f"{self.above}/{self.below}" if self.below else self.above, self.style)


def _atoms(pieces: Iterable[str | Fraction], say: Say, style: str, roles: Roles) -> list[_Atom]:
    """The pieces, cut before operators, after `·` and after commas."""
    atoms = list[_Atom]()
    for is_text, run in groupby(pieces, key=lambda piece: isinstance(piece, str)):
        if not is_text:
            fractions = (piece for piece in run if isinstance(piece, Fraction))
            atoms += [_Atom(say(a), say(b), roles.get(Fraction(a, b), style)) for a, b in fractions]
            continue
        text = _OPERATOR.sub(rf"{_CUT}\g<0>", "".join(map(str, run)))
        text = _END.sub(rf"\g<0>{_CUT}", text).replace(" = ", f" = {_CUT}")
        parts = filter(None, text.split(_CUT))
        atoms += [_Atom(say(part), "", "" if part == " = " else style) for part in parts]
    return atoms


def _stacked(atoms: Iterable[_Atom]) -> Picture:
    rows: list[list[Content]] = [[], [], []]
    for atom in atoms:
        width = max(cell_len(atom.above), cell_len(atom.below))
        stack = (atom.above, "─" * width, atom.below) if atom.below else ("", atom.above, "")
        for row, text in zip(rows, stack, strict=True):
            row.append(styled(_centred(text, width), atom.style))
    lines = [Content().join(row) for row in rows]
    return picture(lines if lines[0].plain.strip() else lines[1:2])


def _broken(atoms: Sequence[_Atom], width: int) -> Picture:
    lines, row = list[Content](), Content()
    for word in _words(atoms):
        if row.cell_length + word.rstrip().cell_length > width and row.plain.strip():
            lines.append(row.rstrip())
            row, word = Content(_INDENT), word[1:] if word.plain.startswith(" ") else word
        row += word
    return picture([*lines, row.rstrip()])


def _words(atoms: Iterable[_Atom]) -> list[Content]:
    """What stands on one line, whatever happens: `1/std·`, ` − mean(∂y/∂n)`."""
    words = list[Content]()
    for atom in atoms:
        before = words[-1].plain if words else ", "
        if atom.above.startswith(" ") or before.endswith((", ", "·")):
            words.append(atom.line)
        else:
            words[-1] += atom.line
    return words


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
    after = max(map(cell_len, rests))
    # What is nan or inf has no digits, and ends with the longest rest.
    lines = [
        whole + rest.ljust(0 if whole.strip("−-").isalpha() else after)
        for whole, rest in zip(wholes, rests, strict=True)
    ]
    return [line.rjust(max(map(cell_len, lines))) for line in lines]


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
