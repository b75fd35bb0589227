"""Work that is mostly done at once: one for each key, told bit by bit, and never swallowed."""

from __future__ import annotations

import threading
from time import monotonic

import pytest

from backprop_engine.budget import StoppedError
from backprop_tui.app.soon import Soon
from backprop_tui.oracles.report import Failed

LATE = 0
MOST = 30.0


class Loop:
    """Calls what was left to it when it is told to."""

    def __init__(self):
        self.is_typing = False
        self.failures = []
        self._calls, self._lock = [], threading.Condition()
        self.soon = Soon(self.call_later, lambda: self.is_typing, self.failures.append)

    def call_later(self, call):
        with self._lock:
            self._calls.append(call)
            self._lock.notify()

    def turn(self, condition):
        """Call until `condition` holds."""
        end = monotonic() + MOST
        while not condition():
            assert monotonic() < end
            with self._lock:
                self._lock.wait(0.01)
                calls, self._calls = self._calls, []
            for call in calls:
                call()


@pytest.fixture
def loop():
    return Loop()


@pytest.fixture
def gate():
    gate = threading.Event()
    yield gate
    gate.set()


def test_what_is_done_soon_is_there_when_the_call_returns(loop):
    found = []
    assert loop.soon("It", lambda job: 7, found.append, patience=MOST)
    assert found == [7]
    assert not loop.soon.is_at("It")


def test_what_takes_longer_arrives_in_the_loop(loop, gate):
    found = []
    assert not loop.soon("It", lambda job: gate.wait(MOST), found.append, patience=LATE)
    assert loop.soon.is_at("It")
    gate.set()
    loop.turn(lambda: found)
    assert found == [True]
    assert not loop.soon.is_at("It")


def test_it_may_be_told_bit_by_bit(loop, gate):
    def work(job):
        job.tell(1)
        gate.wait(MOST)
        job.tell(2)
        return 3

    found = []
    loop.soon("It", work, found.append, patience=LATE)
    assert found in ([], [1])
    gate.set()
    loop.turn(lambda: len(found) == 3)
    assert found == [1, 2, 3]


def test_a_newer_wish_under_the_same_key_replaces_the_older_one(loop, gate):
    found, ended = [], threading.Event()

    def older(job):
        gate.wait(MOST)
        try:
            job.rest()
        finally:
            ended.set()
        return "older"

    loop.soon("It", older, found.append, patience=LATE)
    loop.soon("It", lambda job: "newer", found.append, patience=MOST)
    gate.set()
    assert ended.wait(MOST)
    loop.turn(lambda: found)
    assert found == ["newer"]


def test_what_has_been_told_before_it_was_cancelled_is_not_heard(loop, gate):
    found = []

    def work(job):
        gate.wait(MOST)
        return 1

    loop.soon("It", work, found.append, patience=0)
    loop.soon("Other", lambda job: 2, found.append, patience=MOST)
    loop.soon.close()
    gate.set()
    assert found == [2]
    loop.turn(lambda: threading.active_count() < 100)
    assert found == [2]


def test_whoever_is_cancelled_learns_it_where_it_rests(loop, gate):
    learnt = []

    def work(job):
        gate.wait(MOST)
        try:
            job.rest()
        except StoppedError:
            learnt.append(job.is_unwanted())
            raise

    loop.soon("It", work, learnt.append, patience=0)
    loop.soon.cancel("It")
    gate.set()
    loop.turn(lambda: learnt)
    assert learnt == [True]
    assert loop.failures == []


def test_it_leaves_the_processor_to_keys_but_not_while_the_loop_waits_for_it(loop, gate):
    loop.is_typing, found = True, []
    loop.soon("It", lambda job: job.rest(), found.append, patience=MOST)
    assert found == [None]
    loop.soon("It", lambda job: gate.wait(MOST) and job.rest(), found.append, patience=0)
    gate.set()
    loop.turn(lambda: True)
    assert found == [None]
    loop.is_typing = False
    loop.turn(lambda: len(found) == 2)


def test_whatever_it_raises_is_told_by_its_name(loop, faults):
    def work(job):
        raise RuntimeError("no idea")

    loop.soon("The work", work, pytest.fail, patience=MOST)
    loop.soon(("The work", 2), work, pytest.fail, failed=loop.failures.append, patience=MOST)
    told = {failed.reason for failed in loop.failures if isinstance(failed, Failed)}
    assert told == {"The work broke off with RuntimeError: no idea."}
    assert len(loop.failures) == len(faults) == 2
    faults.clear()
