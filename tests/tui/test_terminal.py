"""What is written to a terminal that is gone."""

from __future__ import annotations

import errno
import io
import os
import signal

import pytest
from textual import events

pytest.importorskip("termios", reason="Windows has a driver of its own")

from backprop_tui.app.terminal import Keys, Output


class Closed(io.StringIO):
    """A terminal that fails in one way, and counts how often it is tried."""

    def __init__(self, number):
        super().__init__()
        self.number = number
        self.tried = 0

    def write(self, text):
        self.tried += 1
        raise OSError(self.number, os.strerror(self.number))


@pytest.fixture
def sent(monkeypatch):
    signals = []
    monkeypatch.setattr(os, "kill", lambda pid, number: signals.append((pid, number)))
    return signals


def test_the_first_failure_tells_the_program_to_end_and_nothing_more_is_tried(sent):
    file = Closed(errno.EIO)
    output = Output(file)
    for _ in range(100):
        output.write("frame")
        output.flush()
    assert sent == [(os.getpid(), signal.SIGHUP)]
    assert file.tried == 1


def test_any_other_failure_is_raised(sent):
    with pytest.raises(OSError, match="No space"):
        Output(Closed(errno.ENOSPC)).write("frame")
    assert not sent


def test_a_terminal_that_is_there_gets_everything():
    file = io.StringIO()
    Output(file).write("frame")
    assert file.getvalue() == "frame"


def keys(text, reading=None):
    return [one.key for one in (reading or Keys()).read(text) if isinstance(one, events.Key)]


@pytest.mark.parametrize(
    "sent", ["\x1b[99999999999u", "\x1b[1114112u", "\x1b[:u", "\x1b[48;24;80;0;0t\x1b[<0;3;3M"]
)
def test_a_sequence_of_no_key_means_nothing_and_the_next_key_is_heard(sent):
    reading = Keys()
    keys(sent, reading)
    assert keys("s\x1b[A", reading) == ["s", "up"]


def test_a_key_may_come_in_parts():
    reading = Keys()
    assert keys("\x1b[", reading) == []
    assert keys("B", reading) == ["down"]
