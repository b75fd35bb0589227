"""Asking, judging, hinting and showing: Session → Session.

Whatever leads the cursor on is held at the first question on its way (`held`), and goes on to
where it was bound for when that is answered.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from backprop_engine.mistakes.answers import Judge, Judgement
from backprop_engine.mistakes.asking import answer_text, hints
from backprop_engine.mistakes.wording import told_all
from backprop_tui.session.predicting.state import Examiner, Predicting, Settled
from backprop_tui.session.session import Session

HINTS: Final = 3
"""Before the answer is shown."""


def toggle(session: Session) -> Session:
    """Ask from here on; or no longer."""
    now = session.predicting
    if now is not None:
        said = " · ".join(filter(None, (f"no more questions: {now.score}", now.made)))
        return replace(session, predicting=None, notice=said)
    there = asked_from(session, session.cursor)
    return replace(there, notice="s and n now ask before they show; x ends it")


def asked_from(session: Session, reached: int, settled: tuple[Settled, ...] = ()) -> Session:
    """With what is not among the first `reached` steps asked; others are `settled` already."""
    asking = Predicting(Examiner(Judge(session.trace)), reached, settled=settled)
    return replace(session, predicting=asking)


def held(session: Session) -> Session:
    """With the cursor no further than the first question that is not answered yet."""
    now = session.predicting
    if now is None:
        return session
    if now.examiner.judge.trace is not session.trace:
        return replace(session, predicting=None)
    if session.cursor <= now.reached:
        is_left = now.is_asking and session.cursor < now.reached
        return replace(session, predicting=replace(now, is_asking=False)) if is_left else session
    question = now.examiner.first(range(now.reached, session.cursor))
    if question is None:
        return replace(session, predicting=_at(now, session.cursor))
    asked = replace(_at(now, question.step), goal=session.cursor, is_asking=True)
    return replace(session, cursor=question.step, predicting=asked)


def _at(now: Predicting, reached: int) -> Predicting:
    """With so many steps done."""
    if reached == now.reached:
        return now
    return replace(now, reached=reached, is_asking=False, hints=0, missed=None)


def judged(session: Session, judgement: Judgement) -> Session:
    """After an answer: a right one performs the step, a wrong one is told its mistake."""
    now, question = session.predicting, session.question
    if now is None or question is None:
        return session
    remark = f" ({judgement.remark})" if judgement.remark else ""
    if judgement.is_right:
        said = f"✓ {answer_text(session.trace, question)}{remark}"
        settled = Settled(question, now.missed is None, now.missed or ())
        return _go_on(session, now, settled, said)
    told = told_all(judgement.mistakes, session.trace, question.step) or "that is not it"
    missed = tuple(dict.fromkeys((*(now.missed or ()), *judgement.mistakes)))
    return replace(session, predicting=replace(now, missed=missed), notice=f"✗ {told}{remark}")


def hint(session: Session) -> Session:
    """The next of three hints; nothing after the last."""
    now, question = session.predicting, session.question
    if now is None or question is None or now.hints == HINTS:
        return session
    given = hints(session.trace, question)[now.hints]
    said = f"hint {now.hints + 1} of {HINTS}: {given}"
    return replace(session, predicting=replace(now, hints=now.hints + 1), notice=said)


def shown(session: Session) -> Session:
    """With the answer told, and the step performed."""
    now, question = session.predicting, session.question
    if now is None or question is None:
        return session
    settled = Settled(question, is_right=False, mistakes=now.missed or (), is_shown=True)
    return _go_on(session, now, settled, answer_text(session.trace, question))


def later(session: Session) -> Session:
    """With the question left open."""
    now = session.predicting
    if now is None:
        return session
    return replace(session, predicting=replace(now, is_asking=False), notice="")


def _go_on(session: Session, now: Predicting, settled: Settled, said: str) -> Session:
    """On to where one was bound for, as far as no question is in the way."""
    done = _at(now, now.reached + 1)
    done = replace(done, settled=(*now.settled, settled))
    return held(replace(session, cursor=now.goal, predicting=done, notice=said))
