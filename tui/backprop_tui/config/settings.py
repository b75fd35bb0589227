"""The settings of a configuration file, read with every mistake told and the rest applied."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from textual.keys import KEY_NAME_REPLACEMENTS, Keys

from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.sanitised import brief, printable
from backprop_engine.basics.suggestions import listed
from backprop_engine.trace import Missing
from backprop_tui.commands.keymap import DEFAULT_KEYMAP, Keymap, conflicts
from backprop_tui.commands.table import BY_NAME, COMMANDS
from backprop_tui.config.entries import Entries, MistakeError, parse_entries, read_entries, unknown
from backprop_tui.config.time_limits import (
    DEFAULT_LIMITS,
    TIME_SETTINGS,
    TimeLimits,
    with_time_limit,
)
from backprop_tui.session.navigation import RATES
from backprop_tui.styles.themes import DEFAULT_THEME, THEMES

_MOST_MISTAKES: Final = 50
"""No more are looked for: this is another file."""
_FOLDERS: Final = re.compile(r"^.*[/\\](?=config\.toml)")
_MODIFIERS: Final = frozenset({"ctrl", "shift", "alt", "super", "hyper", "meta"})
_NAMED_KEYS: Final = frozenset(str(key.value) for key in Keys)
_FIXED: Final = {"ctrl+q": "always leaves the program", "ctrl+c": "is the terminal's"}


TORCH_SWITCHED_OFF: Final = Missing(
    "PyTorch is not asked", "the configuration file says `torch = false`; `true` asks it"
)


@dataclass(frozen=True, slots=True)
class Settings:
    """What a person has set."""

    theme: str = DEFAULT_THEME
    is_theme_asked: bool = False
    """Whether the environment asks for it; what was chosen the last time then does not count."""
    rate: float = 2.0
    """Steps a second that play goes at."""
    torch: bool = True
    """Whether torch is asked."""
    limits: TimeLimits = DEFAULT_LIMITS
    """How long oracles may take."""
    keymap: Keymap = DEFAULT_KEYMAP
    mistakes: tuple[str, ...] = ()
    """One sentence each, with file, line and column."""

    @property
    def notice(self) -> str:
        """The first mistake, the file without its folders, and that there are more."""
        if not self.mistakes:
            return ""
        more = len(self.mistakes) - 1
        first = _FOLDERS.sub("", self.mistakes[0])
        return first + (f" · and {more} more: backprop-tui config" if more else "")


def read_settings(path: Path) -> Settings:
    """The settings in `path`; the defaults where there is no such file."""
    return _settings(read_entries(path))


def with_environment(settings: Settings, environment: Mapping[str, str]) -> Settings:
    """The settings with Textual's own variable for a theme, which goes before the file."""
    asked = environment.get("TEXTUAL_THEME", "").strip()
    if not asked:
        return settings
    if asked in THEMES:
        return replace(settings, theme=asked, is_theme_asked=True)
    mistake = printable(brief(f"TEXTUAL_THEME: {unknown('theme', asked, THEMES)}"))
    return replace(settings, mistakes=(mistake, *settings.mistakes))


def parse_settings(text: str, name: str) -> Settings:
    """The settings in a TOML text; `name` is what it is called in its mistakes."""
    return _settings(parse_entries(text, name))


def _settings(entries: Entries) -> Settings:
    if entries.mistake:
        return Settings(mistakes=(entries.mistake,))
    settings, mistakes = Settings(), list[str]()
    changed: dict[str, tuple[str, ...]] = {}
    for key, value in _each(entries.found):
        if len(mistakes) >= _MOST_MISTAKES:
            break
        try:
            if len(key) == 1:
                settings = _with_setting(settings, key[0], value)
            else:
                changed[key[1]] = _keys(key[1], value)
        except MistakeError as mistake:
            mistakes.append(entries.told(key, str(mistake)))
    for name, message in _without_conflicts(changed):
        mistakes.append(entries.told(("keys", name), message))
    return replace(settings, keymap=Keymap(changed), mistakes=tuple(mistakes))


def _each(found: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """The settings and, each by itself, the commands that have keys."""
    for key, value in found.items():
        if key == "keys" and isinstance(value, dict):
            yield from ((("keys", name), keys) for name, keys in value.items())
        else:
            yield (key,), value


def _without_conflicts(changed: dict[str, tuple[str, ...]]) -> list[tuple[str, str]]:
    """Leave out each change that would take a key from another command; which, and why."""
    told = []
    while conflict := next(conflicts(Keymap(changed)), None):
        key, first, second = conflict
        mine, other = (second, first) if second.name in changed else (first, second)
        message = f"`{key}` is `{other.name}`'s key already; give that another key, too"
        told.append((mine.name, message))
        del changed[mine.name]
    return told


def _with_setting(settings: Settings, key: str, value: Any) -> Settings:
    """The settings with one more of the file's entries. Raises MistakeError."""
    if key in TIME_SETTINGS:
        return replace(settings, limits=with_time_limit(settings.limits, key, value))
    if key == "keys":
        raise MistakeError("`keys` is a table: write `[keys]`, and below it `command = keys`")
    reader = _SETTINGS.get(key)
    if reader is None:
        raise MistakeError(unknown("setting", key, (*_SETTINGS, *TIME_SETTINGS, "keys")))
    return replace(settings, **reader(value))


def _theme(value: Any) -> dict[str, Any]:
    if value not in THEMES:
        raise MistakeError(unknown("theme", value, THEMES))
    return {"theme": value}


def _rate(value: Any) -> dict[str, Any]:
    if isinstance(value, bool) or value not in RATES:
        rates = listed(f"{rate:g}" for rate in RATES)
        raise MistakeError(f"`play_speed` is in steps a second: {rates}")
    return {"rate": float(value)}


def _torch(value: Any) -> dict[str, Any]:
    if not isinstance(value, bool):
        raise MistakeError("`torch` is `true` or `false`")
    return {"torch": value}


_SETTINGS: Final[Mapping[str, Callable[[Any], dict[str, Any]]]] = {
    "theme": _theme,
    "play_speed": _rate,
    "torch": _torch,
}


def _keys(command: str, value: Any) -> tuple[str, ...]:
    """One key of a command, or a list of keys, as Textual spells them."""
    if command not in BY_NAME:
        raise MistakeError(unknown("command", command, BY_NAME))
    written = [value] if isinstance(value, str) else value
    if not isinstance(written, list) or not all(isinstance(key, str) for key in written):
        raise MistakeError('keys are texts: "n", or ["n", "space"]')
    return tuple(dict.fromkeys(_key(key) for key in written))


def _key(written: str) -> str:
    """One key: a character, or a name such as `space`, `f5` or `ctrl+n`."""
    *modifiers, last = [written] if len(written) == 1 else written.split("+")
    is_known = len(last) == 1 or last in _NAMED_KEYS | _SPELLED
    if set(modifiers) - _MODIFIERS or not is_known:
        raise MistakeError(unknown("key", written, _NAMED_KEYS | _SPELLED))
    key = "+".join((*modifiers, _spelled(last) if len(last) == 1 else last))
    if key in _FIXED:
        raise MistakeError(f"`{key}` {_FIXED[key]}")
    return key


def _spelled(character: str) -> str:
    """`question_mark` for `?`, as Textual spells it."""
    name = character
    if not character.isalnum():
        name = re.sub("[- ]", "_", unicodedata.name(character, character).lower())
    return KEY_NAME_REPLACEMENTS.get(name, name)


_SPELLED: Final = frozenset(_spelled(chr(code)) for code in range(0x20, 0x7F)) | {
    key for command in COMMANDS for key in command.keys
}
"""The names of characters: `question_mark`, `slash`."""


_HEAD = """\
# Settings of backprop-tui. Take the # away before a line to change it.

# blackboard, whiteboard, or one of Textual's own themes
# theme = "{theme}"

# steps a second that p and P play at: {rates}
# play_speed = {rate}

# whether torch is asked to check every gradient
# torch = true

# seconds that an oracle may take over one scenario; `check` then skips what is left, or says so
# torch_seconds = {limits.torch:g}
# symbolic_seconds = {limits.symbolic:g}
# finite_difference_seconds = {limits.finite_difference:g}

# A key is a character, or a name such as "space", "f5", "ctrl+n"; an empty list is no key.
# [keys]
"""


def default_text() -> str:
    """All settings and all commands with their keys, as commented TOML."""
    defaults = Settings()
    rates = ", ".join(f"{rate:g}" for rate in RATES)
    head = _HEAD.format(
        theme=defaults.theme, rate=defaults.rate, rates=rates, limits=defaults.limits
    )
    parts = [head]
    width = max(len(command.name) for command in COMMANDS)
    for group, commands in groupby(COMMANDS, key=lambda command: command.group):
        parts.append(f"\n# {group}\n")
        for command in commands:
            keys = ", ".join(f'"{key}"' for key in command.keys)
            parts.append(f"# {command.name:<{width}} = [{keys}]  # {command.title}\n")
    return "".join(parts)
