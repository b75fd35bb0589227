"""Notebooks: `%load_ext backprop_tui`, cells of `%%backprop`, and traces that show themselves."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

import pytest
from tests.notebook.executed import as_page, executed

from backprop_engine import record
from backprop_engine.basics.source import Source
from backprop_engine.scenarios.loader import parse_piped
from backprop_tui.notebook import CellError, backprop, picture


class Frames(HTMLParser):
    """The attributes of a page's frames, and what tags there are."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.frames: list[dict[str, str | None]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag == "iframe":
            self.frames.append(dict(attributes))


def test_a_notebook_shows_each_run_and_what_is_wrong_and_keeps_it_as_a_page(tmp_path: Path) -> None:
    notebook = executed(tmp_path)
    loaded, scenario, program, wrong, trace = (cell.outputs for cell in notebook.cells)

    assert loaded == []
    for (shown,), title in ((scenario, "Two's"), (program, "step by step"), (trace, "A cube")):
        assert shown["data"]["text/plain"].startswith("<Trace of ")
        frames = Frames(shown["data"]["text/html"])
        assert frames.tags == ["iframe"]
        assert frames.frames[0]["sandbox"] == "allow-scripts"
        assert title in (frames.frames[0]["title"] or "")
    (told,) = wrong
    assert told["ename"] == "CellError"
    assert told["traceback"] == [
        "cell:1:14: unknown name `z`",
        "  x=2, y=x**2+3z",
        "               ^",
    ]
    page = as_page(notebook, tmp_path / "page.html").read_text(encoding="utf-8")
    assert [frame["sandbox"] for frame in Frames(page).frames] == ["allow-scripts"] * 3


def test_the_frame_holds_the_whole_page_and_nothing_leaves_it() -> None:
    hostile = """title: '"><script>alert(1)</script>'\ncompute: y = 3*x\ninputs: {x: 1}\n"""
    frames = Frames(picture(backprop("", hostile)))
    assert frames.tags == ["iframe"]
    document = frames.frames[0]["srcdoc"] or ""
    assert document.lower().startswith("<!doctype html>")
    assert "<script>alert(1)" not in document
    assert "default-src 'none'" in document


@pytest.mark.parametrize(
    ("line", "cell", "told"),
    [
        ("", "x=2, y=", "cell:1:7: nothing follows"),
        ("", "inputs: {x: 2}\ncompute: y = x*z\n", "cell:2:16: unknown name `z`"),
        ("", "import os\nos.system('ls')\n", "cell:1:8: `os` cannot be imported"),
        ("", "\n", "cell:"),
        ("-e x=2", "y=3", "%%backprop takes nothing on its own line"),
    ],
)
def test_what_is_wrong_in_a_cell_is_told_with_its_place(line: str, cell: str, told: str) -> None:
    with pytest.raises(CellError) as error:
        backprop(line, cell)
    assert "\n".join(error.value._render_traceback_()).startswith(told)


def test_a_run_that_is_too_long_to_look_at_says_how_to_choose() -> None:
    text = "x=1, y=" + "+".join(["x"] * 2001)
    shown = picture(record(parse_piped(Source("cell", text))))
    assert shown.startswith("<p>6,001 steps are too many to look at here, the most are 4,000: ")
    assert "--from N --to M" in shown
