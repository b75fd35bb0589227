"""`-` is standard input: a document, a program or one line, as its text tells."""

from __future__ import annotations

import io
import json

import pytest

from backprop_tui import cli
from backprop_tui.opening import standard_input

PROGRAM = """\
import torch
a = torch.tensor(100., requires_grad=True)
b = torch.where(a <= 0, torch.exp(a), 1 + a)
b.backward()
"""
DOCUMENT = """\
# a lesson
inputs:
  a: 100
compute: |
  import torch
  b = torch.where(a <= 0, torch.exp(a), 1 + a)
"""
LINE = "a=100, b=where(a <= 0, exp(a), 1 + a)"


@pytest.fixture
def pipe(monkeypatch):
    """Let this text, or these bytes, be what comes from standard input."""

    def fill(text: str | bytes) -> None:
        data = text if isinstance(text, bytes) else text.encode("utf-8")
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))

    return fill


@pytest.mark.parametrize(
    ("text", "engine"),
    [
        (PROGRAM, "nan"),  # torch's default is float32
        (PROGRAM.removeprefix("import torch\n"), "nan"),
        (DOCUMENT, 1.0),
        (DOCUMENT.replace("\n", "\r\n"), 1.0),
        (f"\ufeff{DOCUMENT}", 1.0),
        (LINE, 1.0),
        (LINE.replace(", b", "\nb"), 1.0),
    ],
)
def test_a_text_is_read_as_what_it_is(run_json, pipe, text, engine):
    pipe(text)
    _, (answer,), err = run_json("check", "--json", "--no-torch", "--no-symbolic", "-")
    assert err == ""
    assert answer["scenario"] == "-"
    assert answer["gradients"]["a"]["engine"] == engine


def test_it_keeps_its_place_among_others_and_can_be_traced(run, run_json, pipe):
    pipe(LINE)
    asked = ("-e", "x=2, y=x*x", "-", "-e", "z=3, w=z*z")
    code, answers, _ = run_json("check", "--json", "--no-torch", "--no-symbolic", *asked)
    assert (code, [answer["scenario"] for answer in answers]) == (0, ["<-e>", "-", "<-e>"])
    pipe("x=2, y=x**2")
    code, out, err = run("trace", "--json", "-")
    assert (code, err) == (0, "")
    assert json.loads(out.splitlines()[0])["node"] == "y"


def test_a_byte_that_is_no_text_is_an_error_with_its_place(run, pipe):
    for command in ("check", "trace"):
        pipe(b"x=2\ny=x*" + b"\xe9")
        code, _, err = run(command, "-")
        assert code == 2
        assert err.startswith("-:2:5: this is not text in UTF-8: there is a byte 0xe9\n")


@pytest.mark.parametrize("text", ["", "\n", "inputs: {x: 2}\n", "x = = 2"])
def test_what_is_no_scenario_is_told_with_its_place(run, pipe, text):
    pipe(text)
    code, out, err = run("trace", "-")
    assert (code, out) == (2, "")
    assert err.startswith("-:1:")


def test_it_can_be_read_once(run, pipe):
    pipe(LINE)
    code, _, err = run("check", "-", "-")
    assert code == 2
    assert "standard input can be read once" in err


def test_the_screen_needs_a_terminal_for_its_keys(run, pipe, monkeypatch):
    pipe(LINE)
    monkeypatch.setattr(standard_input, "open_keyboard", lambda: None)
    monkeypatch.setattr(cli.sys.stdout, "isatty", lambda: True)
    code, out, err = run("-")
    assert (code, out) == (2, "")
    assert "the screen needs a terminal" in err
    assert "check" in err
