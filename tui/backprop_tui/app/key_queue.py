"""The keys that wait for their turn: one after the other, however fast they are typed.

Textual hands a key to the widget that has the focus when it arrives, and only what no widget wants
comes back to be looked up as a command. So a key that opens a prompt is still on its way while
those typed after it are handed out, and they would never reach the prompt. Here the next key is
handed out when the one before has come to its end, and the screen it has led to is there.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from time import monotonic
from typing import Any

from textual import events
from textual.app import App
from textual.dom import DOMNode

_LONG = 1.0
"""Seconds after which a key is not waited for any longer."""
_ROUNDS = 3
"""How often its way is gone: first as a key, then as what it makes a widget say, as
`OptionSelected`, then as what a screen makes of that, as `ScenarioChosen`."""
_FRAME = 0.1
"""Seconds in which keys may wait for others to be drawn with."""
_UNTIL_DRAWN = 0.05
"""Seconds from a key to the frame that shows it."""


class KeyQueue:
    """Hands keys out in their order, each to the screen that the ones before have led to."""

    def __init__(
        self,
        app: App[Any],
        hand_out: Callable[[events.Event], Awaitable[None]],
        redraw: Callable[[], None],
    ) -> None:
        """`hand_out` gives an event to whoever has the focus."""
        self._app, self._give, self._redraw = app, hand_out, redraw
        self._typed: deque[events.Key | events.Paste] = deque()
        self._handed_out: float | None = None
        """When the key that is under way was handed out; None while none is."""
        self._came_last = 0.0
        self._drawn = 0.0
        self._is_stale = False

    @property
    def has_keys(self) -> bool:
        """Whether a key is under way, or waits for its turn."""
        return bool(self._typed) or self._handed_out is not None

    @property
    def is_typing(self) -> bool:
        """Whether there are keys, or the last one may not be on the screen yet."""
        return self.has_keys or monotonic() - self._came_last < _UNTIL_DRAWN

    async def take(self, event: events.Key | events.Paste) -> None:
        """Let a key queue up."""
        self._typed.append(event)
        self._came_last = monotonic()
        if self._handed_out is None or monotonic() - self._handed_out > _LONG:
            await self._hand_out()

    async def type_again(self, keys: Sequence[events.Key]) -> None:
        """Hand out `keys`, which came before their screen, ahead of those that wait."""
        self._typed.extendleft(events.Key(key.key, key.character) for key in reversed(keys))
        if self._handed_out is None:
            await self._hand_out()

    async def _hand_out(self) -> None:
        """Give the next key to whoever has the focus, and follow it."""
        if not self._typed:
            self._handed_out = None
            if self._is_stale:
                self._draw()
            return
        self._handed_out = now = monotonic()
        receiver = self._app.focused or self._app.screen
        await self._give(self._typed.popleft())
        self._follow(receiver, now, _ROUNDS)

    def _follow(self, node: DOMNode, started: float, rounds: int) -> None:
        """Go the way of a key that nobody stops, up to the app, as a message behind it."""
        app = self._app
        if started != self._handed_out:
            return  # it has been given up
        if node is not app:
            above = node.parent or app
            if not node.call_later(partial(self._follow, above, started, rounds)):
                self._follow(above, started, rounds)
        elif rounds > 1:
            self._follow(app.focused or app.screen, started, rounds - 1)
        elif not app.screen.call_later(self._end):
            self._end()

    def _end(self) -> None:
        """The screen that the key has led to is there: it is the app's turn again."""
        self._app.call_later(self._hand_out)

    # Drawing

    def draw(self) -> None:
        """Draw soon: at once, unless more keys wait to be carried out first."""
        if self._typed and monotonic() - self._drawn < _FRAME:
            self._is_stale = True
        else:
            self._draw()

    def _draw(self) -> None:
        self._is_stale = False
        self._drawn = monotonic()
        self._redraw()
