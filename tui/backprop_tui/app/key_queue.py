"""The part of the app that takes keys: one after the other, however fast they are typed.

Textual hands a key to the widget that has the focus when it arrives, and only what no widget wants
comes back to be looked up as a command. So a key that opens a prompt is still on its way while
those typed after it are handed out, and they would never reach the prompt. Here the next key is
handed out when the one before has come to its end, and the screen it has led to is there.
"""

from __future__ import annotations

from abc import abstractmethod
from collections import deque
from collections.abc import Sequence
from functools import partial
from time import monotonic, sleep

from textual import events
from textual.app import App
from textual.dom import DOMNode
from textual.worker import get_current_worker

from backprop_engine.budget import StoppedError

_LONG = 1.0
"""Seconds after which a key is not waited for any longer."""
_ROUNDS = 3
"""How often its way is gone: first as a key, then as what it makes a widget say, as
`OptionSelected`, then as what a screen makes of that, as `ScenarioChosen`."""
_FRAME = 0.1
"""Seconds in which keys may wait for others to be drawn with."""
_UNTIL_DRAWN = 0.05
"""Seconds from a key to the frame that shows it."""
_NAP = 0.005
"""Seconds between two looks at whether a key is under way."""


class TypingApp(App[None]):
    """Hands keys out in their order, each to the screen that the ones before have led to."""

    def __init__(self) -> None:
        super().__init__()
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

    def give_way(self) -> None:
        """In a worker's thread: leave the processor to a key, until what it does is on the screen.

        Python switches threads every 5 ms, and a key needs the loop's some dozens of times.
        Raises StoppedError where the worker is cancelled.
        """
        worker = get_current_worker()
        while not worker.is_cancelled and (
            self.has_keys or monotonic() - self._came_last < _UNTIL_DRAWN
        ):
            sleep(_NAP)
        if worker.is_cancelled:
            raise StoppedError

    async def on_event(self, event: events.Event) -> None:
        """Let keys queue up; all other events are Textual's affair."""
        if isinstance(event, events.Key | events.Paste) and not event.is_forwarded:
            self._typed.append(event)
            self._came_last = monotonic()
            if self._handed_out is None or monotonic() - self._handed_out > _LONG:
                await self._hand_out()
        else:
            await super().on_event(event)

    async def type_again(self, keys: Sequence[events.Key]) -> None:
        """Hand out `keys`, which came before their screen, ahead of those that wait."""
        self._typed.extendleft(events.Key(one.key, one.character) for one in reversed(keys))
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
        receiver = self.focused or self.screen
        await super().on_event(self._typed.popleft())
        self._follow(receiver, now, _ROUNDS)

    def _follow(self, node: DOMNode, started: float, rounds: int) -> None:
        """Go the way of a key that nobody stops, up to the app, as a message behind it."""
        if started != self._handed_out:
            return  # it has been given up
        if node is not self:
            above = node.parent or self
            if not node.call_later(partial(self._follow, above, started, rounds)):
                self._follow(above, started, rounds)
        elif rounds > 1:
            self._follow(self.focused or self.screen, started, rounds - 1)
        elif not self.screen.call_later(self._end):
            self._end()

    def _end(self) -> None:
        """The screen that the key has led to is there: it is the app's turn again."""
        self.call_later(self._hand_out)

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
        self.redraw()

    @abstractmethod
    def redraw(self) -> None:
        """Draw the session as it is now."""
