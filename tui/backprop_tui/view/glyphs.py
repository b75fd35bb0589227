"""The signs the screen draws with, and their plain letters for an ASCII-only terminal."""

from __future__ import annotations

import codecs
from collections.abc import Mapping

from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

from backprop_engine.basics import notation
from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.sanitised import printable


@dataclass(frozen=True, slots=True)
class Glyphs:
    """Marks, each one cell wide and each with a meaning of its own."""

    constant: str = "·"
    untouched: str = "○"
    partial: str = "◐"
    complete: str = "●"
    sending: str = "▶"
    reference: str = "↗"
    agrees: str = "✓"
    disagrees: str = "✗"
    open: str = "≟"
    waiting: str = "…"
    folded: str = "▸"
    selected: str = "›"
    becomes: str = "→"
    breakpoint: str = "■"
    breakpoint_off: str = "□"
    changed: str = "≠"
    spoilt: str = "!"
    cursor: str = "▼"
    is_ascii: bool = False

    def text(self, text: str) -> str:
        """Mathematics in signs this terminal has."""
        if not self.is_ascii:
            return text
        return notation.plain(text.translate(_LEVELS | _MARKS))

    def say(self, text: str) -> str:
        """The same for a text that holds names or words of the scenario: one line, and harmless."""
        return self.text(printable(text))


_LEVELS = str.maketrans("▁▂▃▄▅▆▇█▔▀", ".:-=+*%#'\"")
"""The blocks of an array's tiny picture, from low to high, and those that hang down."""

UNICODE = Glyphs()
ASCII = Glyphs(
    constant=".",
    untouched="o",
    partial="@",
    complete="*",
    sending=">",
    reference="^",
    agrees="v",
    disagrees="X",
    open="u",
    waiting="~",
    folded="+",
    selected="-",
    becomes=">",
    breakpoint="B",
    breakpoint_off="b",
    changed="#",
    cursor="v",
    is_ascii=True,
)

_MARKS = {
    ord(mark): getattr(ASCII, field)
    for field in UNICODE.__dataclass_fields__
    if isinstance(mark := getattr(UNICODE, field), str) and notation.plain(mark) == "?"
} | {ord("┄"): "~"}
"""Marks that a text speaks of, as `ASCII` draws them; the others are mathematics too."""

LEGEND: tuple[tuple[str, str], ...] = (
    ("sending", "at work in the step about to run"),
    ("untouched", "no gradient received in this pass"),
    ("partial", "has received some of its contributions"),
    ("complete", "gradient complete"),
    ("constant", "needs no gradient"),
    ("reference", "drawn in full elsewhere; enter or a click leads there"),
    ("folded", "folded; right or a click shows its operands"),
    ("selected", "the row you selected"),
    ("breakpoint", "a breakpoint; of a watch: continuing stops where it changes"),
    ("breakpoint_off", "a breakpoint that is off"),
    ("changed", "changed: a watch by the last step, a number of the graph by an edit"),
    ("spoilt", "nan or inf is in it, in a run that they spoil; on the timeline the first of them"),
    ("agrees", "torch agrees"),
    ("disagrees", "torch disagrees"),
    ("open", "not settled: torch has another result, or could have; the torch pane says why"),
    ("waiting", "torch has not answered yet"),
)
"""Field of `Glyphs` and what it means."""


def glyphs_for(environment: Mapping[str, str]) -> Glyphs:
    """The glyphs for a terminal whose locale stands in `environment`.

    `C` and `POSIX` are ASCII-only, and so is any locale that names another character set than
    UTF-8. Where nothing is said, UTF-8 is taken to work, as Python itself does.
    """
    for variable in ("LC_ALL", "LC_CTYPE", "LANG"):
        locale = environment.get(variable, "")
        if variable == "LC_CTYPE" and locale == "C.UTF-8" and "LANG" in environment:
            continue  # Python's own doing, where LANG says C (PEP 538)
        if locale:
            return UNICODE if _has_unicode(locale) else ASCII
    return UNICODE


def _has_unicode(locale: str) -> bool:
    name, _, charset = locale.partition("@")[0].partition(".")
    if not charset:
        return name not in ("C", "POSIX")
    try:
        return codecs.lookup(charset).name.startswith("utf")
    except LookupError:
        return False


_SIGNS = {
    **dict.fromkeys("─╌╺▔", "-"),
    **dict.fromkeys("━═", "="),
    **dict.fromkeys("│┃║▌▐▎▏▕┆▍▋▊▉", "|"),
    **dict.fromkeys("╭╮╰╯├┤┬┴┼└┘┌┐╔╗╚╝", "+"),
    **dict.fromkeys("→▶╸", ">"),
    **dict.fromkeys("↑▲", "^"),
    **dict.fromkeys("↓▼", "v"),
    **dict.fromkeys("•·●", "*"),
    **dict.fromkeys("…┄", "~"),
    **dict.fromkeys("−–—", "-"),
    **dict.fromkeys("“”", '"'),
    **dict.fromkeys("←◀", "<"),
    "×": "x",
    "∂": "d",
    "’": "'",
}
_BAR_ENDS = frozenset("▁▂▃▄▅▆▇")
"""The end of a scrollbar is a segment of one of these; as a level it would look like a mark."""
_TRANSLATION = _LEVELS | str.maketrans(_SIGNS)


class HarmlessFilter(LineFilter):
    """The last gate before the terminal: no sign that is not printable passes, whoever drew it.

    Panes show such signs as pictures of themselves; what is left is what a person types or pastes.
    """

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """The same segments, as long as all of their signs are printable."""
        del background
        return [
            segment
            if segment.control or segment.text.isprintable()
            else Segment(_harmless(segment.text), segment.style)
            for segment in segments
        ]


def _harmless(text: str) -> str:
    return "".join(sign if sign.isprintable() else "�" * cell_len(sign) for sign in text)


class AsciiFilter(LineFilter):
    """Whatever is drawn, box lines and Markdown's bullets too, in ASCII, cell for cell."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """The segments with their texts in ASCII."""
        del background
        return [
            segment if segment.control else Segment(_ascii(segment.text), segment.style)
            for segment in segments
        ]


def _ascii(text: str) -> str:
    if text.isascii():
        return text
    if text in _BAR_ENDS:
        return "|"
    return "".join(
        sign if sign.isascii() else "?" * cell_len(sign) for sign in text.translate(_TRANSLATION)
    )
