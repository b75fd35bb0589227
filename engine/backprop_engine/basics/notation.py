"""Numbers, arrays and powers as text, for people.

The signs are mathematics' own (−, ×, ·, ∂, ²); `plain` turns any such text into ASCII.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from backprop_engine.basics.summary import Summary
from backprop_engine.basics.values import Known, Shape, Value

SHORT_DIGITS = 6
_INLINE_LENGTH = 16
_MOST_LISTED = 12
_PICTURE_ROWS = 3
_PICTURE_COLUMNS = 8
BLOCKS = "▁▂▃▄▅▆▇█"
HANGING = "▔▀"
"""For what is less than zero: a little, and a lot."""
_NOT_FINITE = "!"
_SUPERSCRIPTS = str.maketrans("0123456789-−", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁻")

_PLAIN = {
    "−": "-", "×": "x", "·": "*", "⊙": "*", "∂": "d", "Σ": "sum", "σ": "sigmoid", "√": "sqrt",
    "ᵀ": ".T", "→": "->", "←": "<-", "≤": "<=", "≥": ">=", "≈": "~", "…": "...", "–": "-", "—": "-",
    "⌊": "floor(", "⌋": ")", "⌈": "ceil(", "⌉": ")", "π": "pi", "Φ": "Phi", "φ": "phi",
    "₀": "0", "₁": "1", "₂": "2", "≠": "!=", "∧": "and", "∨": "or", "⊻": "xor", "¬": "not ",
    "½": "1/2", "∠": " angle ", "\u0302": "_hat", "⋆": "*",
    "∇": "grad ", "∞": "inf", "“": '"', "”": '"', "’": "'",
    "Π": "prod ", "‖": "||", "∆": "d", "⊗": "(x)", "ₖ": "_k", "ₘ": "m", "ₙ": "n", "ₚ": "p",
    "⎡": "[", "⎢": "[", "⎣": "[", "⎤": "]", "⎥": "]", "⎦": "]", "⋮": ":",
}  # fmt: skip
_FROM_SUPERSCRIPT = {
    ord(sign): digit for sign, digit in zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-", strict=True)
}

_NAMES = re.compile(r"%?\w+(?:\.\w+)*(?:@\d+)?(?:\[\d+\])*")


_WHOLE = 4
"""Digits before the point that stand there although fewer were asked for."""


def number(value: Value, digits: int | None = None) -> str:
    """A scalar with `digits` significant digits, or with all it has."""
    if isinstance(value, bool | np.bool_):
        return str(bool(value))
    if isinstance(value, int | np.integer):
        text = str(value)
    elif not math.isfinite(value):
        text = str(float(value))
    elif digits is not None and value == 0:
        text = "0"  # the sign of a zero is for those who ask for all digits
    elif digits is not None:
        text = f"{float(value):.{digits}g}"
        if digits < _WHOLE and "e+0" in text and abs(value) < 10**_WHOLE:
            text = f"{float(value):.0f}"  # `210` is shorter than `2.1e2`, and says more
    else:
        text = str(value)  # the shortest that reads back to the same bits
    mantissa, mark, exponent = text.partition("e")
    if "." in mantissa:
        mantissa = mantissa.rstrip("0").rstrip(".")
    text = f"{mantissa}e{int(exponent)}" if mark else mantissa
    return text.replace("-", "−")


def shape(size: Shape) -> str:
    """`2×3` for a matrix, `3` for a vector."""
    return "×".join(map(str, size))


def short(value: Known) -> str:
    """One narrow cell: a scalar with few digits, a small vector, or shape and a tiny picture.

    Of a value that is not kept its shape and norm.
    """
    if isinstance(value, Summary):
        return summarised(value)
    if not isinstance(value, np.ndarray):
        return number(value, SHORT_DIGITS)
    return listed(value, _INLINE_LENGTH) or pictured(value)


def listed(array: np.ndarray, width: int, digits: Sequence[int] = (4, 3, 2)) -> str:
    """A small vector or matrix as numbers, `[0.09, −0.33]`, with as many `digits` as fit `width`.

    Empty where not even the fewest do, and of what has more axes or many elements.
    """
    if array.ndim <= 2 and 0 < array.size <= _MOST_LISTED:
        for count in digits:
            text = _listed(array, count)
            if len(text) <= width:
                return text
    return ""


def pictured(array: np.ndarray, width: int = 1_000) -> str:
    """The shape and a tiny picture, as much of it as fits: `3 ▂▅█`, `2×2 ▂▔ █…`."""
    told, rows = shape(array.shape), _picture(array)
    if not rows or len(told) + 3 > width:
        # The length of a vector without a picture is not to pass for a value.
        return f"[{told}]" if array.ndim == 1 else told
    text = f"{told} {' '.join(rows)}" + "…" * (array.size > sum(map(len, rows)))
    return text if len(text) <= width else text[: width - 1].rstrip() + "…"


def summarised(value: Summary) -> str:
    """The shape, the norm and what is not finite: `64×128 ‖0.31‖`, `3 ‖nan‖ 2 nan`, `3 ‖?‖`."""
    marks = [
        f"{count} {name}"
        for count, name in ((value.nans, "nan"), (value.infinities, "inf"))
        if count
    ]
    return " ".join(filter(None, [shape(value.shape), f"‖{_taken(value, value.norm, 3)}‖", *marks]))


def _taken(value: Summary, figure: float, digits: int | None = None) -> str:
    """A figure of `value`; a question mark for one that was not taken, which is no nan of it."""
    return "?" if figure != figure and not value.nans else number(figure, digits)


def full(value: Known) -> str:
    """Every digit and every element; of a value that is not kept its figures."""
    if isinstance(value, Summary):
        figures = ("minimum", "maximum", "mean", "norm")
        told = [f"{name} {_taken(value, getattr(value, name))}" for name in figures]
        counts = (("zeros", value.zeros), ("nan", value.nans), ("inf", value.infinities))
        told += [f"{count} {name}" for name, count in counts if count]
        return f"{shape(value.shape)} {value.dtype}: {', '.join(told)}"
    return number(value) if not isinstance(value, np.ndarray) else _listed(value, None)


def constant_text(value: Known) -> str:
    """A literal as a name for its node."""
    if not isinstance(value, np.ndarray | Summary):
        return number(value)
    text = "" if isinstance(value, Summary) else listed(value, _INLINE_LENGTH, digits=(4,))
    return text or f"[{shape(value.shape)}]"


def _listed(array: np.ndarray, digits: int | None) -> str:
    if digits is not None and array.ndim <= 2:  # what the graph draws; numpy takes its time
        rows = ("[" + ", ".join(number(x, digits) for x in row) + "]" for row in _rows(array))
        return ", ".join(rows) if array.ndim < 2 else f"[{', '.join(rows)}]"

    def element(x: Any) -> str:
        return number(x, digits)

    text = np.array2string(
        array,
        separator=", ",
        formatter={"float_kind": element, "int_kind": element, "bool": element},
        threshold=array.size + 1,
        max_line_width=10**9,
    )
    return text if array.ndim > 1 and digits is None else " ".join(text.split())


def _rows(array: np.ndarray) -> list[list[Any]]:
    rows: list[list[Any]] = (array if array.ndim == 2 else array.reshape(1, -1)).tolist()
    return rows


def _picture(array: np.ndarray) -> list[str]:
    """One block a number, a text for each row: heights from zero, what is negative hangs down."""
    if not array.size:
        return []
    # A column reads better lying down than as blocks with gaps.
    width = array.size if array.shape[-1] == 1 else array.shape[-1]
    with np.errstate(invalid="ignore"):  # of a nan that signals
        rows = array.reshape(-1, width)[:_PICTURE_ROWS, :_PICTURE_COLUMNS].astype(float)
    finite = np.abs(rows[np.isfinite(rows)])
    largest = float(finite.max(initial=0.0))
    return ["".join(_block(number, largest) for number in row) for row in rows.tolist()]


def _block(number: float, largest: float) -> str:
    if not math.isfinite(number):
        return _NOT_FINITE
    if not number:
        return BLOCKS[0]
    share = abs(number) / largest
    if number < 0:
        return HANGING[share > 0.5]
    return BLOCKS[math.ceil(share * (len(BLOCKS) - 1))]


def blocks(numbers: Sequence[float | None]) -> str:
    """A block each, from the lowest to the highest; `!` for nan and inf, a blank for None."""
    finite = [x for x in numbers if x is not None and math.isfinite(x)]
    low, high = min(finite, default=0.0), max(finite, default=0.0)
    # Scaled before the subtraction, so that 1e308 − (−1e308) stays finite.
    scale = max(abs(low), abs(high)) or 1.0
    span = high / scale - low / scale

    def block(x: float | None) -> str:
        if x is None:
            return " "
        if not math.isfinite(x):
            return _NOT_FINITE
        level = (x / scale - low / scale) / span if span else 0.5
        return BLOCKS[min(int(level * len(BLOCKS)), len(BLOCKS) - 1)]

    return "".join(map(block, numbers))


def power(base: str, exponent: int) -> str:
    """`x²`"""
    return base + str(exponent).translate(_SUPERSCRIPTS)


def in_brackets(text: str) -> str:
    """A number's text ready to stand inside a formula: `(−3)`, `(1e−5)`, but `3`."""
    has_exponent = text[:1].isdigit() and "e" in text
    return f"({text})" if text.startswith("−") or has_exponent else text


def as_name(text: str) -> str:
    """A value's label ready to stand where a name does: `(x + 1)`, but `h@2` and `hs[3]`."""
    return text if _NAMES.fullmatch(text) else f"({text})"


def plain(text: str) -> str:
    """The same text for an ASCII-only terminal: `x^2`, `dy/dx`, `->`."""
    out: list[str] = []
    raised = False
    for sign in text:
        digit = _FROM_SUPERSCRIPT.get(ord(sign))
        if digit is not None:
            out.append(digit if raised else "^" + digit)
        else:
            out.append(_PLAIN.get(sign, sign))
        raised = digit is not None
    return "".join(out).encode("ascii", "replace").decode("ascii")
