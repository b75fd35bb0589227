"""Keys of a screen or a widget that are not those of the table."""

from __future__ import annotations

from typing import Final

from textual.binding import Binding
from textual.dom import DOMNode

from backprop_tui.commands.keymap import Keymap, heard_where

HELP: Final = Binding("question_mark,f1", "app.help", "help", show=False)
"""For a screen where no text is typed."""
PROMPT_HELP: Final = Binding("f1", "app.help", "help", show=False)
"""For one where `?` may be part of the text."""


def rebind(node: DOMNode, keymap: Keymap, place: str) -> None:
    """Let `node` hear the commands of `place` by the keys of `keymap`.

    Textual's own `set_keymap` takes a key away from every command it is given to another one's
    place, and cannot give a key to a command that has none in the table.
    """
    if not keymap.changed:
        return
    commands = [one for one in keymap.commands if heard_where(one) == place]
    actions = {command.action for command in commands}
    table = node._bindings.key_to_bindings
    for key, bindings in list(table.items()):
        kept = [one for one in bindings if one.action not in actions]
        if kept:
            table[key] = kept
        else:
            del table[key]
    for command in commands:
        for key in command.keys:
            binding = Binding(key, command.action, command.title, show=False)
            table.setdefault(key, []).insert(0, binding)
