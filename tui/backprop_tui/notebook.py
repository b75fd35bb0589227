"""In a notebook: `%load_ext backprop_tui`, then `%%backprop`, and traces that show themselves."""

from __future__ import annotations

from html import escape
from typing import Any

from backprop_engine.basics.source import ScenarioError, Source
from backprop_engine.run.record import record
from backprop_engine.scenarios.loader import parse_piped
from backprop_engine.trace import Trace
from backprop_tui.export.lesson import lesson_of
from backprop_tui.export.pages import page
from backprop_tui.headless.export import MOST_STEPS

_STYLE = "width: 100%; height: 560px; border: 0"


class CellError(Exception):
    """What is wrong in a cell, as the terminal tells it: place, caret, and what was expected."""

    def _render_traceback_(self) -> list[str]:
        """What IPython shows of it; where in our own code it was noticed helps nobody."""
        return str(self).split("\n")


def load(shell: Any) -> None:
    """Give IPython's `shell` the magic, and traces their picture."""
    Trace._repr_html_ = picture  # type: ignore[attr-defined] # notebooks ask by this name
    shell.register_magic_function(backprop, "cell", "backprop")


def backprop(line: str, cell: str) -> Trace:
    """The run of a cell: a scenario in YAML, lines of PyTorch, or `x=2, y=x**2+3x+1`.

    Raises CellError.
    """
    if line.strip():
        raise CellError("%%backprop takes nothing on its own line: the scenario stands below it")
    try:
        return record(parse_piped(Source("cell", cell)))
    except ScenarioError as error:
        raise CellError(error.render()) from None


def picture(trace: Trace) -> str:
    """The exported page in a frame of its own, which can touch nothing of the notebook."""
    if len(trace) > MOST_STEPS:
        told = (
            f"{len(trace):,} steps are too many to look at here, the most are {MOST_STEPS:,}: "
            "`backprop-tui export --from N --to M` makes a page of some of them"
        )
        return f"<p>{escape(told)}</p>"
    document = page(lesson_of(trace, 0, len(trace))).decode()
    title = escape(trace.heading.title or "a backward pass, step by step")
    return (
        f'<iframe sandbox="allow-scripts" title="{title}" style="{_STYLE}" '
        f'srcdoc="{escape(document)}"></iframe>'
    )
