"""Arrays drawn as matrices: numbers aligned in brackets, names above, shapes below."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Final, NamedTuple

import numpy as np
from rich.cells import cell_len
from textual.content import Content

from backprop_engine.basics import notation
from backprop_engine.basics.values import Value, shape_of
from backprop_engine.mathematics.text import text_of
from backprop_engine.reading.array_rule import ArrayRule, Figure, Role
from backprop_engine.reading.element_terms import Index
from backprop_tui.widgets.mathematics import Picture, Say, aligned, picture, styled

_STYLES: Final = {Role.SENT: "$warning", Role.UPSTREAM: "$primary", Role.LOCAL: "$secondary"}
_MUTED = "$foreground-muted"
_DIGITS: Final = (4, 3, 2)
_HEAT = 45
"""Percent of a colour behind the largest number of a matrix that has no room for all."""
_SIZES: Final = ((6, 8), (6, 5), (5, 4), (4, 3), (4, 2), (4, 1))
"""Rows and columns that are drawn of each, as many as there is room for."""


class Lit(NamedTuple):
    """The cells that are lit: a row, a column, or the one where both meet."""

    row: int | None = None
    column: int | None = None

    def holds(self, row: int, column: int) -> bool:
        """Whether a cell is lit."""
        if self == Lit():
            return False
        return self.row in (None, row) and self.column in (None, column)


def matrices(
    rule: ArrayRule,
    element: Index | None,
    width: int,
    say: Say,
    most_rows: int = _SIZES[0][0],
    *,
    may_pile: bool = True,
) -> Picture | None:
    """The equation in numbers, in at most `width` cells; None where that has no room.

    Digits give way before the matrices stand under each other instead of side by side, and that
    before columns do; where they may not, all but the upstream gradient of what no plain product
    is made of.

    Of `element` of what is sent the cell is lit, and what meets it in the factors.
    """
    first = replace(rule, made_of=rule.made_of[:1], signs=rule.signs[:1])
    lights = _lights(rule, element)
    leading = (element or ())[:-2]
    ways = (_in_a_line, _piled) if may_pile else (_in_a_line,)
    for (rows, columns), put, digits in product(_SIZES, ways, _DIGITS):
        if "and" in rule.signs and (rows, columns) != _SIZES[0] and not may_pile:
            return matrices(first, element, width, say, most_rows, may_pile=False)
        blocks = [
            _block(
                figure, _window(figure.value, leading),
                _Extent(min(rows, most_rows), columns, digits), lit, say,
            )
            for figure, lit in zip((rule.sent, *rule.made_of), lights, strict=True)
        ]  # fmt: skip
        drawn = put(blocks, [say(sign) for sign in rule.signs])
        if drawn.width <= width:
            return drawn
    return None


def _lights(rule: ArrayRule, element: Index | None) -> list[Lit]:
    if element is None:
        return [Lit()] * (1 + len(rule.made_of))
    row, column = (0, 0, *element)[-2:]
    if len(element) == 1 and shape_of(rule.sent.value)[1:] == (1,):  # a vector that stands
        row, column = column, 0
    if rule.is_matrix_product:
        return [Lit(row, column), Lit(row), Lit(column=column)]
    shape = shape_of(rule.sent.value) if rule.signs[0] == "=" else None
    lit = Lit(row, column)
    return [lit, *(lit if shape_of(each.value) == shape else Lit() for each in rule.made_of)]


def _window(value: Value, leading: Index) -> np.ndarray:
    """The matrix that is drawn of an array: a vector lies down, of more axes it is one slice."""
    array = np.asarray(value)
    if array.ndim < 2:
        return array.reshape(1, -1)
    inside = leading if len(leading) == array.ndim - 2 else (0,) * (array.ndim - 2)
    matrix: np.ndarray = array[inside]
    return matrix


class _Block(NamedTuple):
    """A matrix with what stands above and below it."""

    name: Content
    body: Picture
    shape: Content

    @property
    def width(self) -> int:
        return max(self.name.cell_length, self.body.width, self.shape.cell_length)


class _Extent(NamedTuple):
    """As much of each matrix as is drawn."""

    rows: int
    columns: int
    digits: int


def _block(figure: Figure, matrix: np.ndarray, extent: _Extent, lit: Lit, say: Say) -> _Block:
    style, shape = _STYLES[figure.role], shape_of(figure.value)
    name = styled(say(text_of(figure.name)), style)
    if not shape:
        number = notation.number(figure.value, extent.digits)
        return _Block(name, picture([styled(say(number), f"bold {style}")]), Content())
    down, across = (
        _shown(matrix.shape[0], extent.rows, lit.row),
        _shown(matrix.shape[1], extent.columns, lit.column),
    )
    body = _bracketed(matrix, (down, across, extent.digits), lit, style, say)
    told = notation.shape(shape)
    if len(shape) > 2:
        told += ", one slice of it"
    return _Block(name, body, styled(say(told), _MUTED))


def _shown(length: int, most: int, lit: int | None) -> range:
    """The indices that are drawn: the first ones, or those up to the one that is lit."""
    start = 0 if lit is None else max(0, min(lit - most + 1, length - most))
    return range(start, min(start + most, length))


def _bracketed(
    matrix: np.ndarray, shown: tuple[range, range, int], lit: Lit, style: str, say: Say
) -> Picture:
    down, across, digits = shown
    texts = [
        aligned([say(notation.number(matrix[row, column].item(), digits)) for row in down])
        for column in across
    ]
    before, after = across.start > 0, across.stop < matrix.shape[1]
    is_cut = before or after or len(down) < matrix.shape[0]
    largest = float(np.abs(matrix[np.isfinite(matrix)]).max(initial=0)) if is_cut else 0.0
    lines = []
    for at, row in enumerate(down):
        styles = (
            f"{style} reverse"
            if lit.holds(row, column)
            else _heated(matrix[row, column], largest, style)
            for column in across
        )
        cells = [styled(column[at], each) for column, each in zip(texts, styles, strict=True)]
        if before:
            cells.insert(0, styled(say("…"), _MUTED))
        if after:
            cells.append(styled(say("…"), _MUTED))
        lines.append(Content("  ").join(cells))
    inner = picture(lines)
    more = styled(say("⋮").center(inner.width), _MUTED)
    all_lines = [more] * (down.start > 0) + list(inner.lines)
    all_lines += [more] * (down.stop < matrix.shape[0])
    return picture(
        Content.assemble((say(left), _MUTED), line, (say(right), _MUTED))
        for line, (left, right) in zip(all_lines, _brackets(len(all_lines)), strict=True)
    )


def _heated(number: float, largest: float, style: str) -> str:
    """The style of a cell: of a matrix that is cut the warmer or colder, the larger the number."""
    if not np.isfinite(number):
        return "bold $error"
    share = round(_HEAT * abs(number) / largest) if largest else 0
    if not share:
        return style
    return f"$foreground on {'$warning' if number > 0 else '$primary'} {share}%"


def _brackets(height: int) -> list[tuple[str, str]]:
    if height == 1:
        return [("[", "]")]
    return [("⎡", "⎤"), *[("⎢", "⎥")] * (height - 2), ("⎣", "⎦")]


def _in_a_line(blocks: list[_Block], signs: list[str]) -> Picture:
    """The matrices side by side, their middles level."""
    height = max(block.body.height for block in blocks) + 2
    columns: list[list[Content]] = []
    for at, block in enumerate(blocks):
        if at:
            sign = styled(f" {signs[at - 1]} ", _MUTED)
            columns.append(_column([sign], (height - 1) // 2, height, sign.cell_length))
        lines = [block.name, *block.body.lines, block.shape]
        top = (height - 2 - block.body.height) // 2
        columns.append(_column(lines, top, height, block.width))
    return picture(Content().join(row) for row in zip(*columns, strict=True))


def _piled(blocks: list[_Block], signs: list[str]) -> Picture:
    """The matrices under each other, each with its sign, its name and its shape to its left."""
    before = max(map(cell_len, signs))
    wide = max(max(block.name.cell_length, block.shape.cell_length) for block in blocks)
    lines = []
    for sign, block in zip(("", *signs), blocks, strict=True):
        told = [block.name, block.shape] if block.shape else [block.name]
        for at in range(max(len(told), block.body.height)):
            lead = styled((sign if at == 0 else "").rjust(before), _MUTED)
            name = told[at] if at < len(told) else Content()
            line = block.body.lines[at] if at < block.body.height else Content()
            lines.append(Content(" ").join([lead, name.pad_right(wide - name.cell_length), line]))
    return picture(lines)


def _column(lines: list[Content], top: int, height: int, width: int) -> list[Content]:
    filled = [*[Content()] * top, *lines]
    filled += [Content()] * (height - len(filled))
    return [_centred(line, width) for line in filled]


def _centred(line: Content, width: int) -> Content:
    spare = width - line.cell_length
    return line.pad_left(spare // 2).pad_right(spare - spare // 2)
