"""What can be copied from a session: numbers with all their digits, and explanations."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from backprop_engine.basics import notation
from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.summary import Summary
from backprop_engine.basics.values import Known, shape_of, size_of
from backprop_engine.reading.latex import as_latex, as_markdown
from backprop_tui.session.session import Session

_MOST = 100_000
"""Elements that are copied; terminals refuse more than a few hundred kilobytes."""


@dataclass(frozen=True, slots=True)
class Copy:
    """A text for the clipboard, empty where there is none, and what is said of it."""

    text: str
    notice: str


Copier = Callable[[Session], Copy]


def value_text(session: Session) -> Copy:
    """The selected node's value."""
    trace, node = session.trace, session.node
    label = trace.label(node)
    if not trace.is_computed(node, session.cursor):
        return Copy("", f"{label} is not computed yet")
    return copy_of(label, trace.nodes.value[node])


def gradient_text(session: Session) -> Copy:
    """The selected node's gradient, as of the cursor."""
    label = session.trace.label(session.node)
    gradient = session.trace.gradient(session.node, session.cursor)
    if gradient is None:
        return Copy("", f"{label} has received no gradient yet")
    return copy_of(f"the gradient of {label}", gradient)


def copy_of(what: str, value: Known) -> Copy:
    """`value` as Python reads it, arrays as nested lists."""
    if isinstance(value, Summary):
        return Copy(
            notation.full(value), f"copied the figures of {what}: its elements are not kept"
        )
    if size_of(value) > _MOST:
        return Copy("", f"{what} has {size_of(value):,} elements, too many to copy")
    if not isinstance(value, np.ndarray):
        text = notation.number(value).replace("−", "-")
        return Copy(text, f"copied {what}: {text}")
    return Copy(str(value.tolist()), f"copied {what}, {notation.shape(shape_of(value))}")


def markdown_text(session: Session) -> Copy:
    """What Chain rule says, as Markdown."""
    if session.told is None:
        return Copy("", "at the end there is no step to explain")
    return Copy(as_markdown(session.told), "copied the explanation as Markdown")


def latex_text(session: Session) -> Copy:
    """What Chain rule says, as LaTeX."""
    if session.told is None:
        return Copy("", "at the end there is no step to explain")
    return Copy(as_latex(session.told), "copied the explanation as LaTeX")
