"""Which keys run which command: the table's, with those in their place that a person prefers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field, replace

from backprop_engine.basics.dataclass import dataclass
from backprop_tui.commands.command import Command, key_name
from backprop_tui.commands.table import BY_NAME, COMMANDS


@dataclass(frozen=True, slots=True)
class Keymap:
    """Keys by the command's name, for the commands whose keys are not the table's."""

    changed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def keys(self, command: Command) -> tuple[str, ...]:
        """The keys of `command`, as Textual spells them."""
        return self.changed.get(command.name, command.keys)

    def key(self, name: str) -> str:
        """The first key of the command `name`, as people read it; empty where it has none."""
        return next(map(key_name, self.keys(BY_NAME[name])), "")

    @property
    def commands(self) -> tuple[Command, ...]:
        """The table, each command with the keys that it has here."""
        if not self.changed:
            return COMMANDS
        return tuple(replace(command, keys=self.keys(command)) for command in COMMANDS)


DEFAULT_KEYMAP = Keymap()


def conflicts(keymap: Keymap) -> Iterator[tuple[str, Command, Command]]:
    """Each key that two commands of one place have, with the two, in the order of the table."""
    owners: dict[tuple[str, str], Command] = {}
    for command in COMMANDS:
        for key in keymap.keys(command):
            other = owners.setdefault((command.place, key), command)
            if other is not command:
                yield key, other, command
