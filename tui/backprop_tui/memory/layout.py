"""What the screen looks like, as plain data that is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, field, replace
from typing import Any

from backprop_engine.basics.dataclass import dataclass
from backprop_engine.trace import Trace
from backprop_tui.session.modules import by_graph, switch_tree
from backprop_tui.session.reload import node_keys, nodes_by_key
from backprop_tui.session.session import Session
from backprop_tui.session.stepping_in import stack
from backprop_tui.session.stops import persisting
from backprop_tui.session.stops.state import Stops


@dataclass(frozen=True, slots=True)
class Layout:
    """Which pane is in front, which has the focus, whether that one fills the screen; sizes."""

    pane: str = "chain"
    focus: str = "graph"
    is_zoomed: bool = False
    sizes: Mapping[str, int] = field(default_factory=dict)
    """Thousandths of the screen, by pane whose border a person has moved."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """All that is kept of one scenario, as JSON has it for `session`."""

    session: Mapping[str, Any]
    layout: Layout
    theme: str

    @property
    def plain(self) -> dict[str, Any]:
        """As it is written."""
        pane, focus, is_zoomed, sizes = astuple(self.layout)
        layout = {"pane": pane, "focus": focus, "zoomed": is_zoomed, "sizes": sizes}
        return {**self.session, "layout": layout, "theme": self.theme}


def remember(session: Session, layout: Layout, theme: str) -> Remembered:
    """What to keep of a session: of the outermost one, where it is the inside of an operation."""
    outer = by_graph(stack(session)[-1])
    # The keys of a large graph take their time.
    keys = node_keys(outer.trace) if outer.folds else ()
    folds = sorted(keys[int(outer.outline.nodes[row])] for row in outer.folds)
    kept = {**persisting.to_plain(outer.stops), "folds": [list(key) for key in folds]}
    return Remembered(kept, layout, theme)


def nothing(theme: str) -> Remembered:
    """All as on the first day."""
    return Remembered({"breakpoints": [], "watches": [], "folds": []}, Layout(), theme)


def read(found: Mapping[str, Any], trace: Trace) -> tuple[Remembered, Stops, tuple[str, ...]]:
    """What was kept, for a graph that may have changed since; what has no place is told.

    Raises ValueError, KeyError, TypeError or AttributeError for what is never written.
    """
    stops, lost = persisting.from_plain(found, trace)
    layout, theme = found["layout"], found["theme"]
    pane, focus = layout["pane"], layout["focus"]
    if not all(isinstance(text, str) for text in (pane, focus, theme)):
        raise TypeError("a name that is no text")
    folds = [(str(name), int(count)) for name, count in found["folds"]]
    kept = {**persisting.to_plain(stops), "folds": [list(key) for key in folds]}
    sizes = {str(name): int(size) for name, size in layout.get("sizes", {}).items()}
    if not all(0 < size <= 1_000 for size in sizes.values()):
        raise ValueError("a size that is none")
    shown = Layout(pane, focus, layout["zoomed"] is True, sizes)
    return Remembered(kept, shown, theme), stops, lost


def restore(session: Session, kept: Remembered, stops: Stops) -> Session:
    """A fresh session with what was kept."""
    folded, written = by_graph(session), kept.session["folds"]
    outline = folded.outline
    nodes = nodes_by_key(session.trace) if written else {}
    wanted = [nodes.get((name, count)) for name, count in written]
    rows = [int(outline.full_rows[node]) for node in wanted if node is not None]
    folds = frozenset(row for row in rows if outline.has_children(row))
    restored = replace(folded, folds=folds, stops=stops)
    return restored if folded is session else switch_tree(restored)
