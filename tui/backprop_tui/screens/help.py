"""The help screen: how to read the screen, the keys, and the marks."""

from __future__ import annotations

from dataclasses import fields
from itertools import groupby
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from backprop_tui.commands import COMMANDS, key_name
from backprop_tui.glyphs import LEGEND, Glyphs

_READING = """\
The graph hangs from the output down to the inputs. Values are computed upwards, gradients
travel down. The highlighted row is the node at work in the step about to run; 3 → 7 is what
the step makes of a gradient. Chain rule tells why, Torch whether PyTorch agrees, and Source
which piece of the scenario it is."""
_TITLE = "bold $text-primary"
_KEYS_WIDTH = 12


class HelpScreen(ModalScreen[None]):
    """Everything one can press, made from the table of commands."""

    BINDINGS: ClassVar = [
        Binding("escape,q,question_mark,enter", "dismiss", "close", show=False),
        Binding("j", "scroll('down')", show=False),
        Binding("k", "scroll('up')", show=False),
    ]

    def __init__(self, glyphs: Glyphs) -> None:
        super().__init__()
        self._glyphs = glyphs

    def compose(self) -> ComposeResult:
        """One text that scrolls."""
        with VerticalScroll(id="help"):
            yield Static(help_text(self._glyphs))

    def on_mount(self) -> None:
        """Say how to leave."""
        box = self.query_one("#help")
        box.border_title = "Help"
        box.border_subtitle = "esc closes"
        box.focus()

    def action_scroll(self, direction: str) -> None:
        """One line up or down."""
        box = self.query_one("#help")
        if direction == "down":
            box.scroll_down()
        else:
            box.scroll_up()


def help_text(glyphs: Glyphs) -> Content:
    """The whole help as text."""
    lines = [Content.styled("How to read the screen", _TITLE)]
    lines.append(Content(glyphs.text(_READING.replace("\n", " "))))
    for group, commands in groupby(COMMANDS, key=lambda command: command.group):
        lines += [Content(), Content.styled(group, _TITLE)]
        for command in commands:
            keys = " ".join(key_name(key) for key in command.keys)
            lines.append(
                Content.assemble((f"{keys:<{_KEYS_WIDTH}}", "bold $text-primary"), command.help)
            )
    marks = {field.name: getattr(glyphs, field.name) for field in fields(glyphs)}
    lines += [Content(), Content.styled("Marks", _TITLE)]
    lines += [
        Content.assemble((f"{marks[name]:<{_KEYS_WIDTH}}", "bold"), meaning)
        for name, meaning in LEGEND
    ]
    return Content("\n").join(lines)
