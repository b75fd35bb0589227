"""The prompts: one line to be typed, and what is told under it: places, matches and stops."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from typing import ClassVar

from rich.cells import cell_len
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Input, Label

from backprop_engine.basics.source import Problem, ProblemError
from backprop_engine.reading.watches import compile_watch
from backprop_tui.screens.box import Box
from backprop_tui.session.moving import parse_target
from backprop_tui.session.search.searching import position, search_for
from backprop_tui.session.session import Change, Session
from backprop_tui.session.stops.editing import on_node, set_breakpoint
from backprop_tui.session.stops.parsing import parse_breakpoint
from backprop_tui.session.stops.state import Breakpoint, Watch
from backprop_tui.session.stops.watching import set_watch, suggestion
from backprop_tui.view.messages import Changed
from backprop_tui.view.text import fit
from backprop_tui.view.view import Following, View
from backprop_tui.widgets.keys import PROMPT_HELP


class Prompt(Box):
    """Asks for one line."""

    BINDINGS: ClassVar = [PROMPT_HELP, Binding("escape", "dismiss(None)", "close", show=False)]
    TELLS: ClassVar = "problem"
    """The id of the line under it."""
    ASIDE: ClassVar = "  F1 help"
    """Behind the line."""

    def __init__(
        self, view: View, question: str, placeholder: str, text: str = "", *, replaces: bool = True
    ) -> None:
        """`replaces`: what is typed first takes the place of `text`."""
        super().__init__(view)
        self._question, self._placeholder = question, placeholder
        self._text, self._replaces = text, replaces

    def compose(self) -> ComposeResult:
        """The prompt; under it what one may write, what was found, or what was wrong."""
        with Vertical(id="prompt"):
            with Horizontal():
                yield Label(Content(self._question))  # a name, never markup
                yield Input(
                    self._text,
                    placeholder=self._placeholder,
                    compact=True,
                    select_on_focus=self._replaces,
                )
                yield Label(self.ASIDE, classes="aside")
            yield Label(id=self.TELLS)

    def tell(self, content: Content, *, layout: bool = True) -> None:
        """Under the line; without `layout` where it is as high as before."""
        self.query_one(f"#{self.TELLS}", Label).update(content, layout=layout)

    def tell_problem(self, problem: Problem) -> None:
        """A caret under the mistake, what it is, and what was expected."""
        place = self.query_one(Input)
        text = place.value
        before = cell_len(text[: problem.span.start])
        margin = place.content_region.x - self.query_one("#problem").content_region.x
        column = max(margin + before - round(place.scroll_x), 0)
        width = max(cell_len(text[problem.span.start : problem.span.stop]), 1)
        told = [problem.sentence]
        if problem.expected:
            told.append(f"expected: {problem.expected}")
        self.tell(Content("\n".join([" " * column + "^" * width, *map(self._view.say, told)])))


class ExpressionPrompt(Prompt):
    """Answers with the change that the line means, or with None."""

    HINT: ClassVar = ""

    @abstractmethod
    def read(self, text: str) -> Change:
        """The change that `text` means.

        Raises ProblemError, with places in `text`, or ValueError.
        """

    @on(Input.Changed)
    def _show_hint(self) -> None:
        hint = self._view.glyphs.text(self.HINT)
        self.tell(Content.styled(hint, "not bold $foreground-muted"))

    @on(Input.Submitted)
    def _answer(self, event: Input.Submitted) -> None:
        try:
            self.answer(self.read(event.value))
        except ProblemError as error:
            self.tell_problem(error.problem)
        except ValueError as error:
            self.tell(Content(self._view.say(str(error))))

    def answer(self, change: Change) -> None:
        """Have the session changed."""
        self.dismiss(change)


class GotoScreen(ExpressionPrompt):
    """Asks for a step or a name; answers with the jump there, or None."""

    TOPIC: ClassVar = "goto"

    def __init__(self, view: View) -> None:
        count = len(view.session.trace)
        super().__init__(view, "Go to ", f"0 to {count:,}, 50%, +10, -3, a name")

    def read(self, text: str) -> Change:
        """The jump there."""
        return parse_target(text, self._view.session)


_HINT = "a name, an operation, an expression, or grad > 1, value < 0, isnan(grad)"


class SearchPrompt(Following, Prompt):
    """Searches as one types; enter keeps the match, escape goes back to where one was."""

    TOPIC: ClassVar = "search"
    TELLS: ClassVar = "found"
    BINDINGS: ClassVar = [Binding("escape", "give_up", "close", show=False)]

    def __init__(self, view: View) -> None:
        super().__init__(view, "Search ", "name, operation, grad > 1")
        self._before = view.session

    def on_mount(self) -> None:
        """Say what may be searched for."""
        self._say(_HINT)

    def show(self, view: View) -> None:
        """Tell what `view`, the session as it is by now, says of the search."""
        self._view = view
        if self._text.strip():
            further = " · enter keeps it, then ] and [ go on" if position(view.session) else ""
            self._say(view.session.notice + further)

    def _say(self, sentence: str) -> None:
        text = self._view.say(sentence)
        # A layout would draw all screens anew.
        self.tell(Content(fit(text, max(self.size.width - 2, 1))), layout=False)

    @on(Input.Changed)
    def _preview(self, event: Input.Changed) -> None:
        before, self._text = self._before, event.value
        text = event.value
        if not text.strip():
            self._say(_HINT)

        def look(session: Session) -> Session:
            session = _as_before(session, before)
            return search_for(session, text, before.row) if text.strip() else session

        self.post_message(Changed(look))

    @on(Input.Submitted)
    def _keep(self, event: Input.Submitted) -> None:
        if event.value.strip():
            self.dismiss(None)
        else:
            self.action_give_up()

    def action_give_up(self) -> None:
        """Leave everything as it was."""
        self.dismiss(lambda session: _as_before(session, self._before))


def _as_before(session: Session, before: Session) -> Session:
    there = replace(session, folds=before.folds, unfolds=before.unfolds, notice="")
    return replace(there, selected=before.selected, search=before.search)


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
