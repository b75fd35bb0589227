"""The desks of the app, each without a terminal."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.tui.conftest import Agreeing, Formulas, Missing
from tests.tui.stillness import impatient

from backprop_engine.basics.source import Source
from backprop_engine.run.record import record
from backprop_engine.scenarios.loader import parse_shorthand
from backprop_tui.app.file_desk import FileDesk
from backprop_tui.app.oracle_desk import OracleDesk
from backprop_tui.app.soon import Soon
from backprop_tui.app.surveys import Surveys
from backprop_tui.opening.sessions import read_session
from backprop_tui.opening.targets import Refusal
from backprop_tui.oracles.report import Failed, Ready, Starting
from backprop_tui.oracles.sympy.report import NOT_ASKED
from backprop_tui.session import session as do
from backprop_tui.session.search.searching import search_for
from backprop_tui.session.session import open_session
from backprop_tui.session.stops import editing
from backprop_tui.session.stops.continuing import is_surveyed
from backprop_tui.session.whatif import editing as changing


class Timer:
    def __init__(self, call):
        self.call, self.is_stopped = call, False

    def stop(self):
        self.is_stopped = True


class Host:
    """An app without a screen, whose loop is the test."""

    def __init__(self):
        self._session, self.desks = None, []
        self.notices, self.drawn, self.timers, self.calls = [], 0, [], []
        self.soon = Soon(self.calls.append, lambda: False, lambda one: self.say(one.reason))

    @property
    def session(self):
        return self._session

    @session.setter
    def session(self, session):
        self._session = session
        for desk in self.desks:
            desk.follow(self._session)

    def say(self, notice):
        self.notices.append(notice)

    def redraw(self):
        self.drawn += 1

    def set_timer(self, delay, callback):
        self.timers.append(Timer(callback))
        return self.timers[-1]

    def turn(self, condition):
        while not condition():
            while self.calls:
                self.calls.pop(0)()


@pytest.fixture
def host():
    return Host()


def opened(text="x=2, z=sigmoid(x), y=3z"):
    return open_session(record(parse_shorthand(Source("<-e>", text))))


# Surveys


def test_hits_matches_and_runs_are_found_for_whatever_session_wants_them(host, monkeypatch):
    impatient(monkeypatch)
    host.desks.append(Surveys(host))
    host.session = opened()
    host.session = editing.toggle(host.session)
    host.turn(lambda: is_surveyed(host.session))
    host.session = search_for(host.session, "sigmoid", 0)
    host.turn(lambda: host.session.search.matches.is_complete)
    assert host.session.trace.label(host.session.node) == "z"
    x = host.session.trace.named("x")
    row = int(host.session.outline.full_rows[x])
    host.session = changing.nudge_up(do.select(host.session, row))
    host.turn(lambda: host.session.whatif.wanted is None)
    assert host.session.whatif.values == {x: 2.01}


# Oracles


def shown(host, desk, session):
    host.desks.append(desk)
    host._session = session
    desk.begin(session)
    desk.look_into(session.trace)
    return desk


def test_torch_and_the_autopsy_are_asked_about_what_is_shown_and_sympy_when_wanted(host):
    desk = shown(host, OracleDesk(host, Agreeing(), Formulas()), opened("x=2, y=x*x"))
    host.turn(lambda: isinstance(desk.findings.torch, Ready) and desk.findings.is_examined)
    assert desk.findings.symbolic == NOT_ASKED
    desk.want_formulas()
    host.turn(lambda: isinstance(desk.findings.symbolic, Ready))
    assert host.drawn == 3  # that all is finite is nothing to be drawn


def test_what_has_failed_is_asked_again(host):
    desk = shown(host, OracleDesk(host, Missing(), Formulas()), opened())
    host.turn(lambda: isinstance(desk.findings.torch, Failed))
    failed = desk.findings.torch
    desk.ask_again()
    host.turn(lambda: isinstance(desk.findings.torch, Failed))
    assert desk.findings.torch is not failed


def test_of_nudges_only_the_last_is_asked_about_and_what_is_closed_is_forgotten(host):
    desk = shown(host, OracleDesk(host, Agreeing(), Formulas()), opened())
    first, *others = (opened() for _ in range(3))
    for each in others:
        host.session = replace(each, whatif=replace(each.whatif, values={0: 1.0}))
    early, late = host.timers
    assert early.is_stopped
    assert not late.is_stopped
    late.call()
    host.turn(lambda: isinstance(desk.findings.torch, Ready))
    host.session = first
    host.session = None
    assert desk.findings.torch == Starting()


# The file


def test_a_saved_file_is_read_once_two_looks_agree_and_a_mistake_in_it_is_known(host, tmp_path):
    path = tmp_path / "lesson.yaml"
    path.write_text("x=2, y=x*x")
    desk = FileDesk(host, path)
    host._session = read_session(path)
    path.write_text("x=3, y=x*x + 1")
    desk.look()
    assert len(host.session.trace.nodes) == 2
    desk.look()
    host.turn(lambda: len(host.session.trace.nodes) == 4)
    path.write_text("x=3, y=x*")
    desk.read_again()
    host.turn(lambda: isinstance(desk.trouble, Refusal))
    path.unlink()
    for _ in range(9):
        desk.look()
    assert [notice for notice in host.notices if notice] == [
        "lesson.yaml is gone; what was read last stays, until it is back"
    ]


def test_a_text_without_a_file_says_where_it_came_from(host):
    desk = FileDesk(host, Source("<-e>", "x=2, y=x"))
    desk.look()
    desk.read_again()
    assert host.notices == ["this scenario has no file: it was given with -e"]
