"""The configuration file as it is where nobody has written one: every line a comment."""

from __future__ import annotations

from itertools import groupby

from backprop_tui.commands.table import COMMANDS
from backprop_tui.config.settings import Settings
from backprop_tui.session.navigation import RATES

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
