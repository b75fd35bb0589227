"""A lesson as one file that any browser opens, from a disk or a server, and that asks for nothing.

The folder `page` has its markup, style and script, and `built.html`, which is all three in one
(`make page`), with a policy by which the browser runs and loads nothing else; `quiz.html` is the
same and asks.
"""

from __future__ import annotations

import json
from html import escape
from importlib.resources import files
from typing import Final

from markdown_it import MarkdownIt

from backprop_tui.export.lesson import Lesson
from backprop_tui.export.packing import harmless, packed
from backprop_tui.view.typeset import typeset

_TITLE: Final = "A lesson of backprop-tui"
_DATA: Final = '<script type="application/json" id=lesson>'


def page(lesson: Lesson) -> bytes:
    """The lesson as an HTML document."""
    data = {**packed(lesson), "by": _by(lesson), "a": _notes(lesson)}
    name = "quiz.html" if lesson.is_quiz else "built.html"
    built = (files(__package__) / "page" / name).read_text(encoding="utf-8")
    before, after = built.replace(_TITLE, escape(harmless(lesson.title))).rsplit(_DATA, 1)
    return f"{before}{_DATA}{_inside_script(data)}{after}".encode()


def _by(lesson: Lesson) -> str:
    """What stands behind the title."""
    name = "" if lesson.name == lesson.title else harmless(lesson.name)
    return " · ".join(filter(None, (name, lesson.dtype, lesson.computed_by)))


def _inside_script(data: object) -> str:
    """JSON in which nothing ends a script, or begins a comment."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("</", "<\\/").replace("<!", "\\u003c!")


def _notes(lesson: Lesson) -> str:
    """The notes as HTML: no tag of it is the author's own, and none of it asks for a file."""
    notes = "\n\n".join(filter(None, (lesson.about, lesson.note)))
    markdown = MarkdownIt("commonmark", {"html": False}).disable("image")
    return str(markdown.render(typeset(harmless(notes))))
