"""Pictures of the screen as one that moves: an SVG whose styles show them in turn.

What several have in common is drawn once. There is no script in it and nothing is fetched, so that
it moves wherever SVG is drawn; where nothing may move, one of the pictures stands still.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from itertools import accumulate
from typing import NamedTuple
from xml.etree import ElementTree as ET

WIDTH, HEIGHT = 12.2, 24.4
"""Of a cell, as Textual draws it."""
LEFT, TOP = 9, 41
"""Where the screen begins in its window."""
GROUND = "#0f1318"
"""What most of it is filled with."""
NAME = "{http://www.w3.org/2000/svg}"
TEXT_STYLE = re.compile(r"-(r\d+) \{ (.*?);? \}")
SHEET = """\
text{white-space:pre;font:20px ui-monospace,Menlo,Consolas,"DejaVu Sans Mono",monospace}
.bar text{font:bold 17px system-ui,sans-serif;fill:#c5c8c6}
.bar .key{fill:#0f1318;text-anchor:middle}
@media(prefers-reduced-motion:reduce){*{animation:none!important}}
"""


class Moment(NamedTuple):
    """A picture of the screen, the key that led to it, and what that key does."""

    svg: str
    key: str
    words: str
    seconds: float


class Mark(NamedTuple):
    """A stretch of a row of the screen: its ground, or a text on it; sizes are in cells."""

    row: int
    column: float
    columns: float
    style: str
    text: str = ""


def moving(moments: Sequence[Moment], columns: int, rows: int, title: str, still: int) -> str:
    """All moments one after the other, for ever; without motion the one that is `still`."""
    seen: dict[Mark, list[int]] = {}
    for index, moment in enumerate(moments):
        for mark in dict.fromkeys(_marks(moment.svg)):
            seen.setdefault(mark, []).append(index)
    whole = tuple(range(len(moments)))
    when = dict.fromkeys([whole, *sorted({tuple(indices) for indices in seen.values()})])
    when |= dict.fromkeys((index,) for index in whole)
    names = {indices: f"m{at}" for at, indices in enumerate(when)}
    texts = sorted({mark.style for mark in seen if mark.text})
    styles = {style: f"t{at}" for at, style in enumerate(texts)}
    width, height = columns * WIDTH + 2 * LEFT, rows * HEIGHT + TOP + LEFT
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}">',
        f"<style>\n{SHEET}{_rules(moments, names, styles, still)}</style>",
        f'<rect fill="#292929" width="{width:g}" height="{height:g}" rx="8"/>',
        *_bar(moments, names, width, title),
        f'<g transform="translate({LEFT},{TOP})" shape-rendering="crispEdges">',
        f'<rect fill="{GROUND}" width="{columns * WIDTH:g}" height="{rows * HEIGHT:g}"/>',
        *_layer({mark: at for mark, at in seen.items() if not mark.text}, names, styles),
        *_layer({mark: at for mark, at in seen.items() if mark.text}, names, styles),
        "</g>",
        "</svg>\n",
    ]
    return "\n".join(lines)


def _marks(svg: str) -> Iterator[Mark]:
    """What stands on one picture of the screen."""
    root = ET.fromstring(svg)  # noqa: S314 - it is ours
    styles = dict(TEXT_STYLE.findall(svg))
    for rect in root.iterfind(f".//{NAME}rect[@shape-rendering]"):
        x, y, width = (float(rect.attrib[name]) for name in ("x", "y", "width"))
        if rect.attrib["fill"] != GROUND:
            place = round(y // HEIGHT), round(x / WIDTH), round(width / WIDTH)
            yield Mark(*place, rect.attrib["fill"])
    for text in root.iterfind(f".//{NAME}text[@textLength]"):
        x, y, width = (float(text.attrib[name]) for name in ("x", "y", "textLength"))
        said = (text.text or "").rstrip()
        blank = len(said) - len(said.lstrip())
        if said.strip():
            columns = round(width / WIDTH) - len(text.text or "") + len(said) - blank
            style = styles[text.attrib["class"].rpartition("-")[2]]
            column = round(x / WIDTH) + blank
            yield Mark(round(y // HEIGHT), column, columns, style, said.lstrip())


def _rules(
    moments: Sequence[Moment],
    names: Mapping[tuple[int, ...], str],
    styles: Mapping[str, str],
    still: int,
) -> str:
    """The style sheet: colours, and when what is seen."""
    starts = list(accumulate((moment.seconds for moment in moments), initial=0.0))
    *percents, _ = [f"{100 * start / starts[-1]:.2f}%" for start in starts]
    rules = [f".{name}{{{style}}}" for style, name in styles.items()]
    for indices, name in names.items():
        told = [_seen(index in indices) for index in range(len(moments))]
        stops = [
            f"{percent}{{{now}}}"
            for percent, before, now in zip(percents, ["", *told], told, strict=False)
            if now != before
        ]
        if len(stops) > 1:
            rules.append(
                f".{name}{{{told[still]};animation:{name} {starts[-1]:g}s step-end infinite}}"
            )
            rules.append(f"@keyframes {name}{{{''.join(stops)}}}")
    return "\n".join(rules) + "\n"


def _seen(is_seen: bool) -> str:
    return f"visibility:{'visible' if is_seen else 'hidden'}"


def _bar(
    moments: Sequence[Moment], names: Mapping[tuple[int, ...], str], width: float, title: str
) -> Iterator[str]:
    """The window's title, and the key that was pressed."""
    yield '<g class="bar">'
    for x, colour in ((26, "#ff5f57"), (48, "#febc2e"), (70, "#28c840")):
        yield f'<circle cx="{x}" cy="22" r="7" fill="{colour}"/>'
    yield f'<text x="100" y="28">{escape(title)}</text>'
    for index, moment in enumerate(moments):
        x = width - 205
        yield (
            f'<g class="{names[(index,)]}">'
            f'<rect fill="#6cb6ff" x="{x:g}" y="8" width="28" height="27" rx="5"/>'
            f'<text class="key" x="{x + 14:g}" y="27">{escape(moment.key)}</text>'
            f'<text x="{x + 40:g}" y="28">{escape(moment.words)}</text></g>'
        )
    yield "</g>"


def _layer(
    seen: Mapping[Mark, Sequence[int]],
    names: Mapping[tuple[int, ...], str],
    styles: Mapping[str, str],
) -> Iterator[str]:
    """Marks, those that are seen at the same moments together."""
    for indices, name in names.items():
        marks = sorted(mark for mark, at in seen.items() if tuple(at) == indices)
        if marks:
            yield f'<g class="{name}">'
            yield from (_drawn(mark, styles) for mark in marks)
            yield "</g>"


def _drawn(mark: Mark, styles: Mapping[str, str]) -> str:
    x, y, width = mark.column * WIDTH, mark.row * HEIGHT, mark.columns * WIDTH
    if not mark.text:
        size = f'width="{width:g}" height="{HEIGHT + 0.3:g}"'
        return f'<rect x="{x:g}" y="{y:.1f}" {size} fill="{mark.style}"/>'
    place = f'x="{x:g}" y="{y + 18.5:.1f}" textLength="{width:g}"'
    return f'<text class="{styles[mark.style]}" {place}>{escape(mark.text, quote=False)}</text>'
