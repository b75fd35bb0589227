"""Whatever a file, its name or a scenario says, no control character reaches the terminal."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from backprop_engine.basics.sanitised import brief, printable
from backprop_engine.basics.source import ScenarioError
from backprop_engine.scenarios.loader import load
from backprop_tui.cli import main

EVIL = "\x1b[31mred\x07 \u202eleft\u202c \u200bnothing [bold]loud[/] \x9b5m"


def is_harmless(text: str) -> bool:
    return all(line.isprintable() for line in text.split("\n"))


@pytest.fixture
def lesson(tmp_path: Path) -> Path:
    """A lesson with a file name, a title, notes and hints that mean no good."""
    said = json.dumps(EVIL)  # YAML reads the escapes of JSON
    path = tmp_path / "\x1b]0;title\x07\u202e.yaml"
    path.write_text(
        f"title: {said}\nabout: {said}\ninputs: {{x: 2}}\ncompute: y = x**2\nhints: {{y: {said}}}\n"
        "expect: {y: 5}\n"
    )
    return path


@pytest.mark.parametrize(
    "arguments",
    [
        ["trace"],
        ["trace", "--json"],
        ["check", "--no-torch", "--no-symbolic"],
        ["check", "--no-torch", "--no-symbolic", "--json"],
    ],
)
def test_a_lesson_that_means_no_good(arguments, lesson, capsys):
    main([*arguments, str(lesson)])
    out, err = capsys.readouterr()

    assert out
    assert is_harmless(out)
    assert is_harmless(err)


@pytest.mark.parametrize(
    "arguments",
    [
        ["trace", f"no/{EVIL}.yaml"],
        ["check", "--no-torch", "--no-symbolic", f"no/{EVIL}.yaml"],
        ["check", "--json", "--no-torch", "--no-symbolic", f"no/{EVIL}.yaml"],
        ["trace", "-e", f"x=2, y={EVIL}"],
        ["trace", "-e", "x=2, y=x # \u202e\n + \x1b[2J"],
        ["trace", f"--{EVIL}"],
        ["ops", EVIL],
        [f"{EVIL}.yaml"],
    ],
)
def test_what_is_typed_comes_back_harmless(arguments, capsys):
    assert main(arguments) == 2
    out, err = capsys.readouterr()

    assert is_harmless(out)
    assert is_harmless(err)


def test_the_caret_of_an_error_still_fits():
    assert printable("a\tb\x1b\x7f\u202e") == "a    b␛␡�"


def test_an_error_about_something_enormous_is_short(capsys):
    assert main(["trace", "-e", f"x=2, y={'a' * 100_000} + {'b' * 100_000}"]) == 2
    err = capsys.readouterr().err

    assert len(err) < 1_000
    assert "…" in err
    assert err.splitlines()[2].index("^") == err.splitlines()[1].index("a")
    assert brief(f"unknown name `{'a' * 100}`") == f"unknown name `{'a' * 28}…{'a' * 28}`"


# Files that are none


def refusal_of(path: str | Path) -> str:
    with pytest.raises(ScenarioError) as caught:
        load(path)
    return str(caught.value)


def test_a_pipe_that_nobody_writes_to_is_not_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr("backprop_engine.scenarios.read_bytes.PIPE_SECONDS", 0.2)
    reading, writing = os.pipe()
    started = time.monotonic()

    assert "has not ended in 0.2 s" in refusal_of(f"/dev/fd/{reading}")
    assert time.monotonic() - started < 30

    os.write(writing, b"x=2, y=x**2")
    os.close(writing)
    assert load(f"/dev/fd/{reading}").inputs[0].name == "x"
    os.close(reading)

    named = tmp_path / "named.yaml"
    os.mkfifo(named)
    assert "cannot be read" in refusal_of(named) or "empty" in refusal_of(named)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/dev/zero", "larger than 10 MB"),
        ("/dev/null", "this scenario is empty"),
        ("/dev", "this is a folder"),
        ("/proc/self/mem", "cannot be read"),
        ("a" * 5_000, "cannot be read"),
        ("a\0b", "cannot be read"),
    ],
)
def test_devices_and_folders_are_no_scenarios(path, said):
    assert said in refusal_of(path)


def test_a_pipe_that_takes_the_place_of_a_file_between_two_looks_is_not_waited_for(
    tmp_path, monkeypatch
):
    path = tmp_path / "lesson.yaml"
    path.write_text("x=2, y=x**2")
    opened = os.open

    def swapped(name, *arguments):
        path.unlink()
        os.mkfifo(path)
        return opened(name, *arguments)

    monkeypatch.setattr("backprop_engine.scenarios.read_bytes.PIPE_SECONDS", 0.2)
    monkeypatch.setattr(os, "open", swapped)
    assert "has not ended in 0.2 s" in refusal_of(path)


def test_a_file_that_is_cut_off_while_it_is_read_is_read_as_far_as_it_goes(tmp_path, monkeypatch):
    path = tmp_path / "lesson.yaml"
    path.write_text("x=2, y=x**2" + " " * 100_000)
    known = os.fstat

    def cut(descriptor):
        os.truncate(path, 7)
        return known(descriptor)

    monkeypatch.setattr(os, "fstat", cut)
    assert refusal_of(path) == "nothing follows this `=`"


def test_a_link_to_itself_is_no_scenario(tmp_path):
    loop = tmp_path / "loop.yaml"
    loop.symlink_to(loop)

    assert "symbolic links" in refusal_of(loop)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "empty"),
        (b"title: a\0b", "U+0000"),
        (b"\0" * 1_000, "U+0000"),
        (b"\xff\xfe\xfa", "not text in UTF-8"),
        ("title: x".encode("utf-16"), "not text in UTF-8"),
        ('title: "\ud800"'.encode("utf-8", "surrogatepass"), "not text in UTF-8"),
        (b'title: "\\ud800"', "half of a character"),
        (b'inputs: {x: !!python/object/apply:os.system ["id"]}\ncompute: y = x', "the tag"),
        (b"inputs:\n  <<: {x: 2}\ncompute: y = x", "`<<` cannot be a name"),
        (b"inputs: {x: 2001-01-01}\ncompute: y = x", "is not a number"),
        (b"inputs: {lambda: 2}\ncompute: y = 2", "a word of Python's own"),
        (b'inputs: {"a\\e[31m": 2}\ncompute: y = 2', "cannot be a name"),
        (b"a: &a [*a]", "contains itself"),
        (b"[" * 100_000, "nested more than 100 deep"),
    ],
)
def test_files_that_mean_no_good_are_refused(data, said, tmp_path):
    path = tmp_path / "lesson.yaml"
    path.write_bytes(data)

    assert said in refusal_of(path)


@pytest.mark.parametrize("data", [b"\xef\xbb\xbfx=2, y=x**2", b"x=2,\r\ny=x**2\r\n"])
def test_marks_of_other_systems_are_read_over(data, tmp_path):
    path = tmp_path / "lesson.yaml"
    path.write_bytes(data)

    assert load(path).inputs[0].name == "x"
