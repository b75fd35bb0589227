"""The palette's entries: every command with its key beside it, and the inspector's keys in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from textual import events
from textual.command import CommandList as Offered
from textual.command import CommandPalette, DiscoveryHit, Hit, Hits, Provider

from backprop_engine.graph import Graph
from backprop_engine.mistakes.broken import BROKEN
from backprop_engine.mistakes.wording import in_general
from backprop_engine.trace import Missing
from backprop_tui.commands.command import Command, key_name
from backprop_tui.screens.debugger import DebuggerScreen
from backprop_tui.session.session import Session

if TYPE_CHECKING:
    from backprop_tui.app.app import DebuggerApp

Run = Callable[[], Any]
"""What an entry does."""


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
        for title, text, run in self._entries():
            yield DiscoveryHit(title, run, help=text)

    async def search(self, query: str) -> Hits:
        """The commands whose titles match `query`."""
        matcher = self.matcher(query)
        for title, text, run in self._entries():
            score = matcher.match(title)
            if score > 0:
                yield Hit(score, matcher.highlight(title), run, help=text)

    def _entries(self) -> Iterable[tuple[str, str, Run]]:
        from backprop_tui.inspecting.keys import KEYS
        from backprop_tui.screens.inspector import InspectorScreen

        act = self.app.run_action
        if isinstance(self.screen, InspectorScreen):
            for key in KEYS:
                yield f"{key.title}  ({key_name(key.key)})", "", partial(act, key.action)
        if not isinstance(self.screen, DebuggerScreen):
            return
        for command in self.screen.keymap.commands:
            keys = ", ".join(key_name(key) for key in command.keys)
            if command.name != "command_palette":
                title = f"{command.title}  ({keys})" if keys else command.title
                yield title, self._told(command), partial(act, command.action)
        if self._can_be_broken():
            for slug, engine in BROKEN.items():
                yield f"Broken engine: {slug}", in_general(engine.mistake), partial(self._use, slug)
            yield (
                "No broken engine",
                "Only ours, or yours beside it.",
                partial(self._use, ""),
            )

    def _can_be_broken(self) -> bool:
        """Whether our engine has made what is open, so that a wrong one can do it, too."""
        session = getattr(self.app, "session", None)
        return isinstance(session, Session) and not isinstance(session.trace.can(Graph), Missing)

    def _use(self, slug: str) -> None:
        from backprop_tui.oracles.yours.broken import examiner_of

        app = cast("DebuggerApp", self.app)
        app.yours.use(examiner_of(slug))
        app.opening.show_anew("yours")

    def _told(self, command: Command) -> str:
        """What the command does; why not, where it cannot here."""
        session = getattr(self.app, "session", None)
        missing = command.missing(session) if isinstance(session, Session) else None
        return command.help if missing is None else f"not here: {missing.sentence}"
