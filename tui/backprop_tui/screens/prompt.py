"""The prompts: one line to be typed, and what is told under it; the shortest asks for a place."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

from rich.cells import cell_len
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Input, Label

from backprop_engine.basics.source import Problem, ProblemError
from backprop_tui.screens.box import Box
from backprop_tui.session.moving.places import parse_target
from backprop_tui.session.session import Change
from backprop_tui.view.view import View
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
