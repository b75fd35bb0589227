"""The configuration file: what is set, what is told, and keys that are not the table's."""

from __future__ import annotations

import re
import tomllib

import pytest

from backprop_engine.basics.source import Source
from backprop_tui.app.app import DebuggerApp
from backprop_tui.cli import main
from backprop_tui.commands.keymap import Keymap, conflicts
from backprop_tui.commands.table import BY_NAME, COMMANDS
from backprop_tui.config.folders import config_file
from backprop_tui.config.settings import Settings, default_text, parse_settings, read_settings
from backprop_tui.config.time_limits import TimeLimits
from backprop_tui.oracles import client
from backprop_tui.oracles.sympy import client as symbolic_client


def uncommented(text):
    return re.sub(r"^# (?=(\w+ += )|\[)", "", text, flags=re.MULTILINE)


def test_the_defaults_as_they_are_printed_are_the_defaults():
    settings = parse_settings(uncommented(default_text()), "config.toml")
    assert settings.mistakes == ()
    assert settings.keymap.commands == COMMANDS
    assert settings == Settings(keymap=settings.keymap)
    assert (settings.theme, settings.rate, settings.torch) == ("blackboard", 2.0, True)
    assert settings.limits == TimeLimits(120.0, 12.0, 60.0)
    assert tomllib.loads(default_text()) == {}


def test_what_is_set_applies():
    text = 'theme = "nord"\nplay_speed = 8\ntorch = false\n[keys]\nquit = "Q"\n'
    text += 'reset_value = ["f5", "?"]\nhelp = []\n'
    settings = parse_settings(text, "c")
    assert settings.mistakes == ()
    assert (settings.theme, settings.rate, settings.torch) == ("nord", 8.0, False)
    assert settings.keymap.keys(BY_NAME["quit"]) == ("Q",)
    assert settings.keymap.keys(BY_NAME["reset_value"]) == ("f5", "question_mark")
    assert settings.keymap.keys(BY_NAME["help"]) == ()


async def test_the_app_gives_oracles_the_time_that_is_set(agreeing, formulas, monkeypatch):
    given = {}
    for module, name in ((client, "Oracle"), (symbolic_client, "SymbolicOracle")):

        def make(*, name=name, time_limit, with_texts=False):
            given[name] = time_limit
            return formulas if with_texts else agreeing

        monkeypatch.setattr(module, name, make)
    limits = parse_settings("torch_seconds = 7\nsymbolic_seconds = 8.5", "c").limits
    app = DebuggerApp(Source("<-e>", "x=2, y=x*x"), settings=Settings(limits=limits))
    async with app.run_test() as pilot:
        await pilot.pause()
        await pilot.press("tab", "tab", "tab")
        await pilot.pause()
        assert given == {"Oracle": 7.0, "SymbolicOracle": 8.5}


def test_two_commands_may_change_keys_with_each_other():
    settings = parse_settings('[keys]\nstep_forward = "n"\nnode_forward = "s"\n', "c")
    assert settings.mistakes == ()
    assert settings.keymap.keys(BY_NAME["node_forward"]) == ("s",)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('theme = "blckboard"', "c:1:1: there is no theme `blckboard`; did you mean `blackboard`?"),
        ("\nplay_sped = 1", "c:2:1: there is no setting `play_sped`; did you mean `play_speed`?"),
        ("play_speed = 3", "c:1:1: `play_speed` is in steps a second: `0.5`, `1`"),
        ("play_speed = true", "c:1:1: `play_speed` is in steps a second"),
        ('torch = "no"', "c:1:1: `torch` is `true` or `false`"),
        ("theme = []", "c:1:1: there is no theme `[]`"),
        ("torch_seconds = 0", "c:1:1: `torch_seconds` is a number of seconds above 0, and 86400"),
        ("symbolic_seconds = nan", "c:1:1: `symbolic_seconds` is a number of seconds above 0"),
        ("torch_secs = 1", "c:1:1: there is no setting `torch_secs`; did you mean `torch_seco"),
        ("keys = 3", "c:1:1: `keys` is a table"),
        ('[keys]\n  quti = "x"', "c:2:3: there is no command `quti`; did you mean `quit`?"),
        ('[keys]\nquit = "spce"', "c:2:1: there is no key `spce`; did you mean `space`?"),
        ("[keys]\nquit = 3", 'c:2:1: keys are texts: "n", or ["n", "space"]'),
        ('[keys]\nquit = "ctrl+q"', "c:2:1: `ctrl+q` always leaves the program"),
        ('[keys]\nquit = "bogus+x"', "c:2:1: there is no key `bogus+x`"),
        ('[keys]\nquit = ""', "c:2:1: there is no key ``"),
        (
            'keys.quit = "n"',
            "c:1:1: `n` is `node_forward`'s key already; give that another key, too",
        ),
        ('[keys]\nfold = "up"', "c:2:1: `up` is `up`'s key already"),
        ("theme = ", "c:1:1: this is no TOML: invalid value"),
        ("a = 1\na = 2", "c:2:1: this is no TOML: cannot overwrite a value"),
    ],
)
def test_a_mistake_is_told_with_its_place_and_the_rest_applies(text, told):
    settings = parse_settings(text, "c")
    assert settings.mistakes[0].startswith(told)
    assert settings.notice == settings.mistakes[0]
    assert list(conflicts(settings.keymap)) == []
    if "TOML" not in told and not text.startswith(("keys.", "[keys]", "theme")):
        assert parse_settings(f'theme = "nord"\n{text}\n', "c").theme == "nord"


def test_of_several_mistakes_the_first_is_told_and_that_there_are_more():
    assert parse_settings("a = 1\nb = 2\n", "c").notice.endswith("and 1 more: backprop-tui config")


def test_on_the_screen_the_file_stands_without_its_folders():
    told = "config.toml:1:1: there is no setting `a`"
    assert parse_settings("a = 1", f"/home/me/{told[:11]}").notice == told


def test_no_file_is_no_mistake_and_one_that_cannot_be_read_is(tmp_path):
    assert read_settings(tmp_path / "none.toml") == Settings()
    assert "cannot be read" in read_settings(tmp_path).mistakes[0]
    (tmp_path / "c.toml").write_bytes(b"\xff")
    assert "it is not UTF-8" in read_settings(tmp_path / "c.toml").mistakes[0]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("# " + "x" * 1_000, "cannot be read: a line of it has more than 1,000 characters"),
        ("a.a" * 30_000 + " = 1", "cannot be read: a line of it has more than 1,000 characters"),
        ("# a comment\n" * 10_000, "cannot be read: it is larger than 100 kB"),
        (" " * 100_000, "cannot be read: a line of it has more than 1,000 characters"),
        ("[" * 1_000, "this is no TOML"),
        ("a = " + "[\n" * 40_000, "nested too deeply"),
        ("a = " + "9" * 990, "no setting `a`"),
    ],
)
def test_a_file_that_is_something_else_is_refused_in_no_time(tmp_path, text, told):
    (tmp_path / "config.toml").write_text(text)
    assert told in read_settings(tmp_path / "config.toml").mistakes[0]


def test_of_a_file_full_of_mistakes_not_all_are_looked_for():
    text = "".join(f"torhc{at} = true\n" for at in range(4_000))
    assert len(parse_settings(text, "c").mistakes) == 50
    keys = "".join(f"qiut{at} = 'x'\n" for at in range(4_000))
    assert len(parse_settings(f"[keys]\n{keys}", "c").mistakes) == 50


def test_a_name_of_the_file_that_means_no_good_is_told_harmlessly():
    for text in ("a = 1", "a = ", "a = " + "[" * 900 + "\n", "# " + "x" * 1_000):
        (told, *_) = parse_settings(text, "\x1b[31m\u202e.toml").mistakes
        assert told.isprintable()


def test_the_table_has_no_conflicts_of_its_own():
    assert list(conflicts(Keymap())) == []


def test_config_prints_path_and_defaults_and_tells_mistakes(capsys):
    assert main(["config", "--path"]) == 0
    path = capsys.readouterr().out
    assert path == f"{config_file()}\n"
    assert main(["config"]) == 0
    assert capsys.readouterr().out == f"# {config_file()}\n\n{default_text()}"
    config_file().parent.mkdir(parents=True)
    config_file().write_text("torhc = true\n")
    assert main(["config"]) == 2
    assert "config.toml:1:1: there is no setting `torhc`" in capsys.readouterr().err
