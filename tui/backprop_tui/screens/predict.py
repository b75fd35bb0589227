"""The question: one line that says what is known and takes the answer; under it what to say."""

from __future__ import annotations

from functools import partial
from typing import ClassVar

from rich.cells import cell_len
from textual import events, on
from textual.binding import Binding
from textual.content import Content
from textual.widgets import Input, Label

from backprop_engine.basics.source import Problem, ProblemError
from backprop_engine.mistakes.answers import Judgement
from backprop_engine.mistakes.asking import asked_text
from backprop_tui.app.soon import soon_of
from backprop_tui.screens.prompt import Prompt
from backprop_tui.session.predicting import answering
from backprop_tui.session.predicting.state import Predicting
from backprop_tui.session.session import Change
from backprop_tui.view.messages import Changed
from backprop_tui.view.text import fit, wrapped
from backprop_tui.view.view import Following, View

_SHOW = "X"
_LEAST_INPUT = 18
_MUTED = "not bold $foreground-muted"


class PredictPrompt(Following, Prompt):
    """Asks until the answer is right or shown; answers with what then becomes of the session."""

    TOPIC: ClassVar = "predict"
    ASIDE: ClassVar = ""
    BINDINGS: ClassVar = [
        Binding("escape", "later", "leave it open", show=False),
        Binding("tab", "hint", "hint", show=False, priority=True),
    ]

    def __init__(self, view: View, now: Predicting) -> None:
        super().__init__(view, "", "number, array or algebra")
        self._now = now
        self._has_such_names = any(name.startswith(_SHOW) for name in view.session.trace.names)

    def on_mount(self) -> None:
        """Ask; what the answer before has led to is still told."""
        self._draw()

    def on_resize(self) -> None:
        """Fit the question to the width."""
        self._draw()

    def show(self, view: View) -> None:
        """Draw `view`: another score, a hint, what was wrong."""
        self._view = view
        self._draw()

    def _draw(self) -> None:
        session, labels = self._view.session, self.query(Label)
        if session.predicting is None or session.question is None or not labels:
            return
        score = self._view.say(f"  {session.predicting.score}")
        question = self._view.say(asked_text(session.trace, session.question))
        room = max(self.size.width - _LEAST_INPUT - cell_len(score) - 4, 10)
        labels.first().update(Content(f"{fit(question, room)} "))
        self.query_one(".aside", Label).update(Content(score))
        self._tell()

    def _tell(self) -> None:
        """The notice, and the keys."""
        session = self._view.session
        lines = []
        if session.notice:
            style = f"bold {_style(session.notice)}"
            lines = wrapped(self._view.say(session.notice), max(self.size.width - 2, 8), style)
        self.tell(Content("\n").join([*lines, Content.styled(self._view.say(self._keys), _MUTED)]))

    @property
    def _keys(self) -> str:
        now = self._view.session.predicting
        hint = "" if now is not None and now.hints == answering.HINTS else " · tab hint"
        if not hint and self._has_such_names:
            hint = " · tab show"
        show = "" if self._has_such_names or self.query_one(Input).value else f" · {_SHOW} show"
        return f"enter judge{hint}{show} · esc later · F1 help"

    @on(Input.Submitted)
    def _answer(self, event: Input.Submitted) -> None:
        now, question, text = self._now, self._view.session.question, event.value
        if question is None:
            return

        def judge(_: object) -> Judgement | Problem:
            try:
                return now.examiner.judge.judge(question, text)
            except ProblemError as error:
                return error.problem

        soon_of(self)("The judgement", judge, self._take)

    def _take(self, result: Judgement | Problem) -> None:
        if not self.is_attached:
            return
        if isinstance(result, Problem):
            self.tell_problem(result)
        elif result.is_right:
            self.answer(partial(answering.judged, judgement=result))
        else:
            self.post_message(Changed(partial(answering.judged, judgement=result)))

    def answer(self, change: Change) -> None:
        """Have the session changed; a question that this leads to has a line of its own."""
        soon_of(self).cancel("The judgement")
        self.dismiss(change)

    def action_hint(self) -> None:
        """One hint more; after the last the answer, where no other key can show it."""
        now = self._view.session.predicting
        if self._has_such_names and now is not None and now.hints == answering.HINTS:
            self.action_show()
        else:
            self.post_message(Changed(answering.hint))

    def action_show(self) -> None:
        """Show the answer."""
        self.answer(answering.shown)

    def action_later(self) -> None:
        """Leave it open."""
        self.answer(answering.later)

    @on(Input.Changed)
    def _show_where_asked(self, event: Input.Changed) -> None:
        if event.value == _SHOW and not self._has_such_names:  # a line takes letters before keys
            self.action_show()
        elif not event.value:
            self._tell()

    def on_click(self, event: events.Click) -> None:
        """A click beside it leaves it open."""
        if event.widget is self:
            self.action_later()


def _style(notice: str) -> str:
    return {"✓": "$success", "✗": "$error"}.get(notice[:1], "$warning")
