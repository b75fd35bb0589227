"""Keys of a screen or a widget: those of the table, and those that are not in it."""

from __future__ import annotations

from types import new_class
from typing import Final, TypeVar, cast

from textual.binding import Binding, BindingType
from textual.widget import Widget

from backprop_tui.commands.keymap import DEFAULT_KEYMAP, Keymap

HELP: Final = Binding("question_mark,f1", "app.help", "help", show=False)
"""For a screen where no text is typed."""
PROMPT_HELP: Final = Binding("f1", "app.help", "help", show=False)
"""For one where `?` may be part of the text."""

Heard = TypeVar("Heard", bound=Widget)


def command_bindings(place: str, keymap: Keymap = DEFAULT_KEYMAP) -> list[BindingType]:
    """The keys that are heard in `place` (see `Command.place`)."""
    return [
        Binding(",".join(command.keys), command.action, command.title, show=False)
        for command in keymap.commands
        if command.keys and command.place == place
    ]


def hearing(kind: type[Heard], place: str, keymap: Keymap) -> type[Heard]:
    """`kind`, but with the keys that `keymap` has for the commands of `place`.

    Textual's own `set_keymap` takes a key away from every command it is given to another one's
    place, and cannot give a key to a command that has none in the table.
    """
    if not keymap.changed:
        return kind
    replaced = command_bindings(place)
    kept = [binding for binding in kind.BINDINGS if binding not in replaced]
    bindings = [*command_bindings(place, keymap), *kept]
    made = new_class(
        kind.__name__,
        (kind,),
        {"inherit_bindings": False},
        lambda body: body.update(BINDINGS=bindings),
    )
    return cast("type[Heard]", made)
