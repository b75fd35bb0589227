"""Steps are asked before they are shown: the session alone, without a screen."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest
from tests.foreign_trace import WHOLE
from tests.tui.at_once import found_out

from backprop_engine import record
from backprop_engine.basics.source import Source
from backprop_engine.mistakes.answers import Judgement
from backprop_engine.mistakes.asking import asked_text
from backprop_engine.mistakes.table import MISTAKES
from backprop_engine.scenarios.loader import parse_shorthand
from backprop_tui.commands.copying import gradient_text
from backprop_tui.commands.table import BY_NAME
from backprop_tui.session import session as do
from backprop_tui.session.predicting import answering
from backprop_tui.session.predicting.answering import held, hint, judged, later, shown
from backprop_tui.session.reload import carry
from backprop_tui.session.search.searching import search_for
from backprop_tui.session.session import Session, open_session
from backprop_tui.session.stops.continuing import tick_columns
from backprop_tui.session.stops.editing import set_breakpoint
from backprop_tui.session.stops.parsing import parse_breakpoint

NEURON = Source("<-e>", "x=2, w=0.3, b=0.1, h=w*x+b, t=tanh(h), y=t**3")


def asking(text: Source = NEURON) -> Session:
    """Before the first question."""
    session = answering.toggle(open_session(record(parse_shorthand(text))))
    return held(do.pass_end(session))


def answered(session: Session, text: str) -> Session:
    now, question = session.predicting, session.question
    assert now is not None
    assert question is not None
    return judged(session, now.examiner.judge.judge(question, text))


def asked(session: Session) -> str:
    now, question = session.predicting, session.question
    assert now is not None
    return asked_text(session.trace, question) if now.is_asking and question else ""


def test_steps_that_send_nothing_are_not_asked():
    session = asking()
    assert session.cursor == 4
    assert not asked(session)
    assert asked(held(do.step_forward(held(do.step_forward(session))))).endswith("sends to t")


def test_a_right_answer_performs_the_step_and_a_wrong_one_is_told_its_mistake():
    session = held(do.pass_end(asking()))
    assert asked(session) == "∂y/∂y = 1 · y = t³ sends to t"
    wrong = answered(session, "3*t")
    assert wrong.cursor == session.cursor
    assert wrong.notice.startswith("✗ a power brings its exponent down")
    right = answered(wrong, "3t**2")
    assert right.notice == "✓ y sends 1.09578 to t"
    assert right.cursor == session.cursor + 1
    assert right.predicting.score == "0/1 · streak 0"  # the first answer counts


def test_several_mistakes_that_give_one_number_are_joined_by_or():
    both = Judgement(False, MISTAKES[-2:], "right at these numbers, not in general")
    told = judged(held(do.pass_end(asking())), both).notice
    assert told.startswith("✗ the upstream is multiplied by the local derivative, not divided by")
    assert "; or a constant factor" in told
    assert told.endswith("(right at these numbers, not in general)")


def test_what_was_bound_for_is_gone_on_to_question_by_question():
    session, seen = held(do.pass_end(asking())), []
    while asked(session):
        seen.append(asked(session).split(" · ")[1])
        session = shown(session)
    assert seen == [
        "y = t³ sends to t", "t = tanh(h) sends to h", "%1 = w·x sends to w", "%1 = w·x sends to x",
    ]  # fmt: skip
    assert session.cursor == len(session.trace)
    assert session.predicting.score == "0/4 · streak 0"


def test_a_node_step_asks_all_of_its_node_and_no_more():
    session = held(do.pass_end(asking()))
    session = later(shown(shown(session)))
    session = shown(held(do.node_forward(session)))
    assert asked(session).endswith("sends to x")
    assert not asked(shown(session))


def test_three_hints_tell_ever_more_and_the_next_question_has_three_of_its_own():
    session = held(do.pass_end(asking()))
    told = []
    for _ in range(3):
        session = hint(session)
        told.append(session.notice)
    assert told == [
        "hint 1 of 3: Power rule: the exponent comes down as a factor and drops by one.",
        "hint 2 of 3: ? × 3 · ?²",
        "hint 3 of 3: 1 × 3 · 0.604368²",
    ]
    assert hint(session) == session
    session = shown(session)
    assert session.notice == "y sends 1.09578 to t"
    assert session.predicting.score == "0/1 · streak 0"
    assert session.predicting.hints == 0


def test_the_score_counts_first_answers_and_the_streak_ends_with_what_is_shown():
    session = held(do.pass_end(asking()))
    for answer in ("g*3*t**2", "g*(1 - t*t)", "g*x"):
        session = answered(session, answer)
    assert session.predicting.score == "3/3 · streak 3"
    assert answered(session, "g").predicting.streak == 0
    assert shown(session).predicting.score == "3/4 · streak 0"


def test_a_question_that_is_left_open_is_asked_again_with_its_hints():
    session = later(hint(held(do.pass_end(asking()))))
    assert not asked(session)
    again = held(do.step_forward(session))
    assert asked(again)
    assert again.predicting.hints == 1


def test_going_back_shows_what_was_answered_and_nothing_further():
    session = shown(held(do.pass_end(asking())))
    reached = session.cursor
    back = held(do.step_back(later(session)))
    assert back.explanation is not None
    assert held(do.step_forward(back)).cursor == reached
    assert held(do.step_forward(back)).explanation is None
    assert asked(held(do.pass_end(back)))


def test_what_is_asked_has_no_explanation_and_what_is_not_has_one():
    session = held(do.pass_end(asking()))
    assert session.explanation is None
    assert session.told is None
    assert asking().explanation is not None


@pytest.mark.parametrize(
    "name", ["origin", "flow", "autopsy", "step_into", "edit_value", "nudge_up", "compare",
             "watch", "continue_forward", "lens", "copy_latex", "first_NaN", "edit_source"]
)  # fmt: skip
def test_what_would_tell_is_closed_until_the_questions_end(name: str):
    session = asking()
    missing = BY_NAME[name].missing(session)
    assert missing is not None
    assert missing.sentence == "this would tell what is asked; x ends the questions"
    open_again = BY_NAME[name].missing(answering.toggle(session))
    assert open_again is None or open_again.sentence != missing.sentence


def test_what_is_known_can_be_copied_and_searched_by_name_but_not_by_condition():
    session = held(do.pass_end(asking()))
    assert gradient_text(session).text == "1"
    by_name, by_value = search_for(session, "tanh", 0), search_for(session, "grad > 0", 0)
    assert not by_name.search.matches.trouble
    assert by_value.search.matches.trouble == "conditions wait until the questions end (x)"


def test_the_timeline_does_not_tell_where_a_condition_will_hold():
    session = asking()
    wanted = parse_breakpoint("if grad > 0.5", session.trace)
    session = found_out(set_breakpoint(session, None, wanted))
    columns = partial(tick_columns, start=0, stop=len(session.trace), width=40)
    assert not columns(session)
    assert columns(answering.toggle(session))


def test_the_mistakes_so_far_are_told_when_the_questions_end():
    session = held(do.pass_end(asking()))
    for answer in ("t**2", "3*t**2", "1-t*t", "g*(1-t*t)", "x", "g*x"):
        session = answered(session, answer)
    ended = answering.toggle(session)
    assert ended.notice == "no more questions: 0/3 · streak 0 · upstream forgotten (2), exponent"


def test_a_file_that_is_read_again_is_asked_on_from_the_same_place():
    session = shown(held(do.pass_end(asking())))
    again = carry(later(session), open_session(record(parse_shorthand(NEURON))))
    assert again.predicting.score == "0/1 · streak 0"
    assert again.predicting.reached == session.predicting.reached
    assert asked(held(do.step_forward(again))) == asked(session)


def test_another_run_ends_the_questions():
    session = asking()
    other = record(parse_shorthand(NEURON))
    assert held(replace(session, trace=other)).predicting is None


def test_a_recording_cannot_be_asked_about():
    missing = BY_NAME["predict"].missing(open_session(WHOLE))
    assert missing is not None
    assert "a recording cannot do this" in missing.sentence
