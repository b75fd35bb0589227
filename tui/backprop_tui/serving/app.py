"""The app as a visitor has it: all of the debugger, and nothing of the machine it runs on."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar, Final

from textual import events
from textual.app import App
from textual.driver import Driver
from textual.drivers.web_driver import WebDriver
from textual.messages import ExitApp

from backprop_tui.app.app import DebuggerApp
from backprop_tui.app.palette import CommandList
from backprop_tui.commands.command import Command
from backprop_tui.serving.reach import Reach
from backprop_tui.view.glyphs import UNICODE

_NOT_HERE: Final[Mapping[str, str]] = {
    name: f"this session is served: {whose} belongs to the machine that serves it"
    for name, whose in (
        ("edit_source", "the editor"),
        ("save_picture", "the folder for pictures"),
        ("suspend_process", "the shell"),
    )
}
"""The commands that a visitor does not have, and what to say of them."""


class ServedDriver(WebDriver):
    """Textual's driver for a browser; the app ends with the one who serves it."""

    def write(self, data: str) -> None:
        """Write, as far as there is somebody who reads; where there is not, the input ends too."""
        with suppress(BrokenPipeError):
            super().write(data)

    def write_meta(self, data: dict[str, object]) -> None:
        """The same of what is not drawn."""
        with suppress(BrokenPipeError):
            super().write_meta(data)

    def run_input_thread(self) -> None:
        """Read until there is nothing more to come."""
        super().run_input_thread()
        if not self.exit_event.is_set():
            self.process_message(ExitApp())

    def open_url(self, url: str, new_tab: bool = True) -> None:
        """Lead nobody away."""


class ServedCommands(CommandList):
    """The palette's, which says of some that they are not to be had."""

    def _told(self, command: Command) -> str:
        refusal = _NOT_HERE.get(command.name)
        return super()._told(command) if refusal is None else f"not here: {refusal}"


class ServedApp(DebuggerApp):
    """Opens what is in `reach`; that it is served is told by its class, and nothing else."""

    CSS_PATH = "../styles/backprop.tcss"
    COMMANDS: ClassVar = App.COMMANDS | {ServedCommands}

    def __init__(self, reach: Reach, **options: Any) -> None:
        super().__init__(reach.served, glyphs=UNICODE, **options)
        self._reach = reach

    def get_driver_class(self) -> type[Driver]:
        """The one that speaks with `serving.visitor`."""
        return ServedDriver

    async def on_event(self, event: events.Event) -> None:
        """The browser's window is ours alone: keys are always meant for us."""
        if not isinstance(event, events.AppBlur):
            await super().on_event(event)

    def may_open(self, path: Path) -> bool:
        """Only what is served."""
        return self._reach.may_open(path)

    def action_edit_source(self) -> None:
        """No editor."""
        self.say(_NOT_HERE["edit_source"])

    def action_save_picture(self) -> None:
        """No file; a browser takes pictures itself."""
        self.say(_NOT_HERE["save_picture"])

    def action_suspend_process(self) -> None:
        """No shell to go back to."""
        self.say(_NOT_HERE["suspend_process"])
