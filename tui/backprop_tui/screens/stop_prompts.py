"""The prompts for a breakpoint and for a watch: one line, with a caret under a mistake."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

from rich.cells import cell_len
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Label

from backprop_engine.basics.source import Problem, ProblemError
from backprop_engine.reading.watches import compile_watch
from backprop_tui.session.session import Change
from backprop_tui.session.stops.editing import on_node, set_breakpoint
from backprop_tui.session.stops.parsing import parse_breakpoint
from backprop_tui.session.stops.state import Breakpoint, Watch
from backprop_tui.session.stops.watching import set_watch, suggestion
from backprop_tui.view.text import printable
from backprop_tui.view.view import View
from backprop_tui.widgets.keys import PROMPT_HELP


class ExpressionPrompt(ModalScreen[Change | None]):
    """Asks for one line; answers with the change it means, or None."""

    TOPIC: ClassVar[str]
    BINDINGS: ClassVar = [PROMPT_HELP, Binding("escape", "dismiss(None)", "close", show=False)]
    QUESTION: ClassVar[str]
    PLACEHOLDER: ClassVar[str]
    HINT: ClassVar[str]

    def __init__(self, view: View, text: str, *, replaces: bool) -> None:
        """`replaces`: what is typed first takes the place of `text`."""
        super().__init__()
        self._view = view
        self._text = text
        self._replaces = replaces

    @abstractmethod
    def read(self, text: str) -> Change:
        """The change that `text` means. Raises ProblemError, with places in `text`."""

    def compose(self) -> ComposeResult:
        """The prompt; under it what one may write, or what was wrong."""
        with Vertical(id="prompt"):
            with Horizontal():
                yield Label(Content(self.QUESTION))  # a name, never markup
                yield Input(
                    self._text,
                    placeholder=self.PLACEHOLDER,
                    compact=True,
                    select_on_focus=self._replaces,
                )
                yield Label("  F1 help", classes="aside")
            yield Label(id="problem")

    @on(Input.Changed)
    def _show_hint(self) -> None:
        hint = self._view.glyphs.text(self.HINT)
        self.query_one("#problem", Label).update(Content.styled(hint, "not bold $foreground-muted"))

    @on(Input.Submitted)
    def _answer(self, event: Input.Submitted) -> None:
        try:
            change = self.read(event.value)
        except ProblemError as error:
            self.query_one("#problem", Label).update(self._told(error.problem, event))
            return
        self.dismiss(change)

    def _told(self, problem: Problem, event: Input.Submitted) -> Content:
        """A caret under the mistake, what it is, and what was expected."""
        place, text = event.input, event.value
        before = cell_len(text[: problem.span.start])
        margin = place.content_region.x - self.query_one("#problem").content_region.x
        column = max(margin + before - round(place.scroll_x), 0)
        width = max(cell_len(text[problem.span.start : problem.span.stop]), 1)
        lines = [" " * column + "^" * width, printable(problem.sentence)]
        if problem.expected:
            lines.append(f"expected: {printable(problem.expected)}")
        return Content(self._view.glyphs.text("\n".join(lines)))


class BreakpointPrompt(ExpressionPrompt):
    """A new breakpoint, or another text for an old one."""

    TOPIC = "breakpoint"
    QUESTION = "Stop at "
    PLACEHOLDER = "x if abs(grad) > 10 · mul · backward y · if isnan(grad)"
    HINT = (
        "a node, an operation or a pass; then `if` and a condition over\n"
        "value, grad, upstream, local, contribution and step; or the condition alone"
    )

    def __init__(self, view: View, old: Breakpoint | None, text: str) -> None:
        super().__init__(view, text, replaces=False)
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

    TOPIC = "watch"
    QUESTION = "Watch "
    PLACEHOLDER = "x.grad, a*b, norm(W.grad)"
    HINT = (
        "an expression over names of the graph and their gradients: x.grad, a*b\n"
        "x.grad is its .grad; of what keeps none, the gradient received so far"
    )

    def __init__(self, view: View, old: Watch | None) -> None:
        text = suggestion(view.session) if old is None else old.text
        super().__init__(view, text, replaces=old is None)
        self._old = None if old is None else old.text

    def read(self, text: str) -> Change:
        """Set it in the place of the old one."""
        compile_watch(text, self._view.session.trace)
        return lambda session: set_watch(session, self._old, text.strip())
