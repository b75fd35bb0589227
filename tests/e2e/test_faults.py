"""What a terminal, a shell and a system can do to the program, and how it is left behind."""

from __future__ import annotations

import os
import re
import signal
import sys
import time
from functools import partial
from pathlib import Path

import pytest
from tests.e2e.terminal import SCENARIO, program
from tests.thorough import share

PATIENCE = 30

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def children_of(pid):
    return [
        int(one.parent.name)
        for one in Path("/proc").glob("[0-9]*/stat")
        if is_alive(one.parent.name) and parent_of(one) == pid
    ]


def parent_of(stat):
    try:
        return int(stat.read_text().rpartition(")")[2].split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0


def wait_for(condition):
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def started(terminal, **how):
    """The program on its lesson, without a shell around it; and the processes it has started."""
    one = terminal(f"exec {program()} {SCENARIO}", **how)
    one.wait_for("Basic autograd", "0/10")
    wait_for(lambda: children_of(one.child.pid))
    return one, children_of(one.child.pid)


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGKILL"])
def test_a_signal_ends_it_and_its_children_and_gives_the_terminal_back(terminal, name):
    one, children = started(terminal, with_torch=True)
    number = getattr(signal, name)
    one.child.kill(number)
    status = one.finish()
    wait_for(lambda: not any(map(is_alive, children)))
    if name == "SIGKILL":
        assert one.child.signalstatus == number
    else:
        assert status == 128 + number
        assert re.findall(rb"\x1b\[\?1049[hl]", one.output)[-1].endswith(b"l")
        assert re.findall(rb"\x1b\[\?25[hl]", one.output)[-1].endswith(b"h")
        assert b"Traceback" not in one.output


def test_a_closed_terminal_ends_it_and_its_children(terminal):
    one, children = started(terminal, with_torch=True)
    one.child.close(force=False)
    wait_for(lambda: not is_alive(one.child.pid))
    wait_for(lambda: not any(map(is_alive, children)))


def takeovers(terminal):
    """How often the program has taken the terminal over."""
    return terminal.output.count(b"\x1b[?1049h")


def has_taken_over(terminal, times):
    return terminal.read() and takeovers(terminal) >= times


@pytest.mark.thorough
def test_what_is_continued_takes_each_key_once_and_ends_as_ever(terminal):
    one, _ = started(terminal)
    times, steps = takeovers(one), 0
    for name in ("SIGCONT", "SIGSTOP", "SIGCONT", "SIGCONT"):
        one.child.kill(getattr(signal, name))
        if name == "SIGCONT":  # the next one is told only once this one is carried out
            times, steps = times + 1, steps + 1
            wait_for(partial(has_taken_over, one, times))
            one.press("s")
            one.wait_for(f"{steps}/10")
    one.press("sss")
    one.wait_for(f"{steps + 3}/10")
    one.press("q")
    assert one.finish() == 0
    assert re.findall(rb"\x1b\[\?1049[hl]", one.output)[-1].endswith(b"l")


@pytest.mark.thorough
def test_sigquit_gives_the_terminal_back_and_is_what_it_dies_of(terminal):
    one = terminal(f"stty -g; ulimit -c 0; {program()} {SCENARIO}; echo exit code $?; stty -g")
    one.wait_for("Basic autograd", "0/10")
    (pid,) = children_of(one.child.pid)
    wait_for(lambda: children_of(pid))
    children = children_of(pid)
    os.kill(pid, signal.SIGQUIT)
    one.finish()
    wait_for(lambda: not any(map(is_alive, [pid, *children])))
    assert b"exit code 131" in one.output
    settings = re.findall(rb"(?:[0-9a-f]+:){10,}[0-9a-f]+", one.output)
    assert len(settings) == 2
    assert settings[0] == settings[1]
    for mode, left in ((b"1049", b"l"), (b"25", b"h"), (b"2004", b"l"), (b"1000", b"l")):
        assert re.findall(rb"\x1b\[\?%b([hl])" % mode, one.output)[-1] == left
    alone, _ = started(terminal)
    alone.child.kill(signal.SIGQUIT)
    alone.finish()
    assert alone.child.signalstatus == signal.SIGQUIT


@pytest.mark.thorough
def test_bytes_that_are_no_key_and_no_utf8_are_survived_typed_and_pasted(terminal):
    one, _ = started(terminal)
    one.press("/")
    one.press("Andr\xe9 ".encode("latin-1"))
    one.wait_for("Andr�")
    one.press("é".encode() + b"\x1b[99999999999u\x1b[:u" + "Ω".encode()[:1])
    one.wait_for("Andr� é")
    one.press("\x1b")
    wait_for(lambda: one.read() and "Search" not in one.text)
    one.press("f")
    one.wait_for("4/10")
    one.press("w")
    one.wait_for("an expression over names")
    one.press(b"\x1b[200~x + caf\xe9\x1b[201~")
    one.wait_for("x + caf�")
    one.press("\x1b")
    wait_for(lambda: one.read() and "an expression over names" not in one.text)
    one.press(b"\xe9t\xe9")
    one.press("\x11")
    assert one.finish() == 0
    assert b"Traceback" not in one.output


def test_ctrl_z_goes_to_the_shell_and_fg_comes_back(terminal):
    one = terminal("exec bash --norc --noprofile -i", PS1="shell$ ")
    one.wait_for("shell$")
    one.press(f"{program()} {SCENARIO}\n")
    one.wait_for("Basic autograd", "0/10")
    one.press("f")
    one.wait_for("4/10")
    one.press("\x1a")
    one.wait_for("Stopped", "shell$")
    assert re.findall(rb"\x1b\[\?1049[hl]", one.output)[-1].endswith(b"l")
    one.press("clear\n")
    wait_for(lambda: one.read() and "Basic autograd" not in one.text)
    one.press("fg\n")
    one.wait_for("Basic autograd", "4/10")
    one.press("s")
    one.wait_for("5/10")
    one.press("q")
    one.wait_for("shell$")
    one.press("exit\n")
    assert one.finish() == 0


@pytest.mark.thorough
def test_a_terminal_that_is_closed_while_it_is_suspended_ends_it_and_its_children(terminal):
    one = terminal("exec bash --norc --noprofile -i", with_torch=True, PS1="shell$ ")
    one.wait_for("shell$")
    one.press(f"{program()} {SCENARIO}\n")
    one.wait_for("Basic autograd", "0/10")
    (parent,) = children_of(one.child.pid)
    wait_for(lambda: children_of(parent))
    all_ = [parent, *children_of(parent)]
    one.press("\x1a")
    one.wait_for("Stopped", "shell$")
    one.child.close(force=False)
    wait_for(lambda: not any(map(is_alive, all_)))


@pytest.mark.thorough
def test_it_runs_where_there_is_no_home_and_the_terminal_is_unknown(terminal):
    # Without a change of layout nothing is written: the system knows a home all the same.
    nothing = "-u HOME -u XDG_STATE_HOME -u XDG_CONFIG_HOME TERM=nonsense"
    one = terminal(f"exec env {nothing} {program()} --fresh {SCENARIO}")
    one.wait_for("Basic autograd", "0/10")
    one.press("f")
    one.wait_for("4/10")
    one.press("q")
    assert one.finish() == 0
    assert b"Traceback" not in one.output


@pytest.mark.thorough
def test_it_runs_where_nothing_can_be_kept_and_says_so_on_leaving(terminal):
    nowhere = "-u TERM XDG_STATE_HOME=/dev/null/state XDG_CONFIG_HOME=/dev/null/config LC_ALL=C"
    one = terminal(f"exec env {nowhere} {program()} {SCENARIO}")
    one.wait_for("Basic autograd", "0/10")
    one.press("zq")
    assert one.finish() == 0
    assert b"Traceback" not in one.output
    assert b"breakpoints and layout cannot be kept: Not a directory" in one.output


@pytest.mark.thorough
def test_any_size_at_any_time_is_survived(terminal):
    one, _ = started(terminal)
    for columns, lines in [(1, 1), (500, 200), (2, 50), (200, 2), (1, 200), (500, 1), (33, 7)]:
        one.resize(columns, lines)
        one.press("s")
        one.read()
    one.resize(80, 24)
    one.press("f")
    one.wait_for("Basic autograd", "10/10")
    one.press("q")
    assert one.finish() == 0
    assert b"Traceback" not in one.output


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("theme", "told", "colour"),
    [
        ("ansi-dark", "", b"\x1b[1;34;49m"),
        ("norf", "there is no theme `norf`; did you mean `nord`?", b"38;2;108;182;255"),
    ],
)
def test_a_theme_of_the_environment_is_drawn_or_told_not_to_be_there(terminal, theme, told, colour):
    one = terminal(f"exec {program()} {SCENARIO}", TEXTUAL_THEME=theme, COLORTERM="truecolor")
    one.wait_for("Basic autograd", "0/10", told)
    assert colour in one.output
    one.press("q")
    assert one.finish() == 0
    assert b"Traceback" not in one.output


COLOURS = {
    b"38",
    b"48",
    *(b"%d" % code for tens in (30, 40, 90, 100) for code in range(tens, tens + 8)),
}
"""The codes that ask for any colour but the terminal's own (39 and 49)."""


POOR: list[tuple[dict[str, str], set[bytes] | None]] = [
    ({"NO_COLOR": "1"}, set()),
    ({"TERM": "vt100", "LC_ALL": "POSIX"}, None),
    ({"TERM": "dumb"}, None),
    ({"TERM": "linux", "COLORTERM": ""}, None),
    ({"TERM": "xterm-16color", "COLORTERM": ""}, None),
]


@pytest.mark.parametrize(("environment", "colours"), share(POOR[:1], POOR))
def test_it_is_readable_on_poor_terminals(terminal, environment, colours):
    one = terminal(f"exec {program()} {SCENARIO}", **environment)
    one.wait_for("Basic autograd", "0/10")
    one.press("f")
    one.wait_for("4/10", "AddBackward0")
    one.press("q")
    assert one.finish() == 0
    assert b"Traceback" not in one.output
    if colours is not None:
        told = {
            part for one in re.findall(rb"\x1b\[([\d;]+)m", one.output) for part in one.split(b";")
        }
        assert told & COLOURS == colours


@pytest.mark.thorough
def test_a_check_shows_how_far_it_has_come_on_a_terminal_alone(terminal, tmp_path):
    for name in "abc":
        (tmp_path / f"{name}.yaml").write_text("inputs: {x: 2}\ncompute: y = x*x\n")
    check = f"{program()} check --no-torch --no-symbolic {tmp_path}"
    one = terminal(f"exec {check}")
    assert one.finish() == 0
    assert b"1 of 3 checked" in one.output
    assert "checked" not in one.text
    piped = terminal(f"{check} | cat")
    assert piped.finish() == 0
    assert b"checked" not in piped.output


def test_on_a_full_disk_it_goes_on_says_so_and_leaves_what_was_kept(terminal, tmp_path):
    (tmp_path / "mine.yaml").write_text("title: Mine\ninputs: {x: 2}\ncompute: y = x**2\n")
    state = tmp_path / "state" / "backprop-tui" / "scenarios"
    home = {"XDG_STATE_HOME": str(tmp_path / "state")}
    command = f"cd {tmp_path}; {program()} mine.yaml"
    one = terminal(command, **home)
    one.wait_for("Mine", "0/3")
    one.press("bq")
    assert one.finish() == 0
    (kept,) = state.iterdir()
    before = kept.read_bytes()
    one = terminal(f"ulimit -f 0; {command}; echo exit code $?", **home)  # no file may grow
    one.wait_for("Mine", "0/3", "■")
    one.press("f")
    one.wait_for("1/3")
    one.press("b")
    one.wait_for("cannot be kept: File too large")
    one.press("f")
    one.wait_for("3/3")
    one.press("q")
    assert one.finish() == 0
    assert one.text.count("breakpoints and layout cannot be kept: File too large") == 1
    assert b"exit code 0" in one.output
    assert b"Traceback" not in one.output
    assert list(state.iterdir()) == [kept]
    assert kept.read_bytes() == before
