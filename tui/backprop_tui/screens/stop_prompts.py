"""The prompts for a breakpoint and for a watch."""

from __future__ import annotations

from typing import ClassVar

from backprop_engine.reading.watches import compile_watch
from backprop_tui.screens.prompt import ExpressionPrompt
from backprop_tui.session.session import Change
from backprop_tui.session.stops.editing import on_node, set_breakpoint
from backprop_tui.session.stops.parsing import parse_breakpoint
from backprop_tui.session.stops.state import Breakpoint, Watch
from backprop_tui.session.stops.watching import set_watch, suggestion
from backprop_tui.view.view import View


class BreakpointPrompt(ExpressionPrompt):
    """A new breakpoint, or another text for an old one."""

    TOPIC: ClassVar = "breakpoint"
    HINT = (
        "a node, an operation or a pass; then `if` and a condition over\n"
        "value, grad, upstream, local, contribution and step; or the condition alone"
    )

    def __init__(self, view: View, old: Breakpoint | None, text: str) -> None:
        examples = "x if abs(grad) > 10 · mul · backward y · if isnan(grad)"
        super().__init__(view, "Stop at ", examples, text, replaces=False)
        self._old = old

    @classmethod
    def on_selected(cls, view: View) -> BreakpointPrompt:
        """The breakpoint on the selected node; a new one where there is none."""
        session = view.session
        there = on_node(session, session.node)
        if there:
            return cls.edit(view, there[0])
        label = session.trace.label(session.node)
        is_named = session.trace.named(label) == session.node
        return cls(view, None, f"{label} if " if is_named else "if ")

    @classmethod
    def edit(cls, view: View, old: Breakpoint) -> BreakpointPrompt:
        """An old one, ready for a condition."""
        return cls(view, old, old.text if old.condition else f"{old.text} if ")

    def read(self, text: str) -> Change:
        """Set it in the place of the old one."""
        new = parse_breakpoint(text, self._view.session.trace)
        return lambda session: set_breakpoint(session, self._old, new)


class WatchPrompt(ExpressionPrompt):
    """A new watch, or another expression for an old one."""

    TOPIC: ClassVar = "watch"
    HINT = (
        "an expression over names of the graph and their gradients: x.grad, a*b\n"
        "x.grad is its .grad; of what keeps none, the gradient received so far"
    )

    def __init__(self, view: View, old: Watch | None) -> None:
        text = suggestion(view.session) if old is None else old.text
        super().__init__(view, "Watch ", "x.grad, a*b, norm(W.grad)", text, replaces=old is None)
        self._old = None if old is None else old.text

    def read(self, text: str) -> Change:
        """Set it in the place of the old one."""
        compile_watch(text, self._view.session.trace)
        return lambda session: set_watch(session, self._old, text.strip())
