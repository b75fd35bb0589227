"""The palette's entries: every command with its key beside it, and the inspector's keys in it."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from textual import events
from textual.command import CommandList as Offered
from textual.command import CommandPalette, DiscoveryHit, Hit, Hits, Provider

from backprop_tui.commands.command import Command, key_name
from backprop_tui.screens.debugger import DebuggerScreen
from backprop_tui.session.session import Session


class Palette(CommandPalette):
    """Textual's, which bears keys that come before its list, and a terminal without room for it."""

    def on_mount(self, event: events.Mount) -> None:
        """Look for nothing where it was taken away before its list was there."""
        if not self.query(Offered):
            event.prevent_default()

    def on_click(self, event: events.Click) -> None:
        """No click dismisses it before its list is looked for: Textual (8.2.8) does not bear it."""
        if not self.has_class("-ready"):
            event.prevent_default()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """No paging where there is no page: there Textual (8.2.8) raises KeyError."""
        if action == "command_list" and parameters in (("page_up",), ("page_down",)):
            return all(offered.scrollable_content_region.area for offered in self.query(Offered))
        return super().check_action(action, parameters)


class CommandList(Provider):
    """The table of commands, for the palette."""

    async def discover(self) -> Hits:
        """All commands, before anything is typed."""
        for title, text, action in self._entries():
            yield DiscoveryHit(title, partial(self.app.run_action, action), help=text)

    async def search(self, query: str) -> Hits:
        """The commands whose titles match `query`."""
        matcher = self.matcher(query)
        for title, text, action in self._entries():
            score = matcher.match(title)
            if score > 0:
                run = partial(self.app.run_action, action)
                yield Hit(score, matcher.highlight(title), run, help=text)

    def _entries(self) -> Iterable[tuple[str, str, str]]:
        from backprop_tui.inspecting.keys import KEYS
        from backprop_tui.screens.inspector import InspectorScreen

        if isinstance(self.screen, InspectorScreen):
            for key in KEYS:
                yield f"{key.title}  ({key_name(key.key)})", "", key.action
        if not isinstance(self.screen, DebuggerScreen):
            return
        for command in self.screen.keymap.commands:
            keys = ", ".join(key_name(key) for key in command.keys)
            if command.name != "command_palette":
                title = f"{command.title}  ({keys})" if keys else command.title
                yield title, self._told(command), command.action

    def _told(self, command: Command) -> str:
        """What the command does; why not, where it cannot here."""
        session = getattr(self.app, "session", None)
        missing = command.missing(session) if isinstance(session, Session) else None
        return command.help if missing is None else f"not here: {missing.sentence}"
