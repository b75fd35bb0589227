"""The debugger on a terminal, with somebody who types: `typist SCENARIO steps|letters [KEYS]`.

`steps` prints, for each press of `s`, how many bytes went to the terminal until the screen stood
still; torch has answered before. `letters` types a search, and prints for each letter the
milliseconds until it was written to the terminal; the search for the letters before it goes on
meanwhile. What comes before the first key (start, recording, torch) is in neither.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from pathlib import Path
from typing import Any

from textual import events
from textual.driver import Driver

import backprop_tui.app.app
from backprop_tui.app.app import DebuggerApp
from backprop_tui.app.terminal import TerminalDriver
from backprop_tui.oracles.report import Starting

_ESCAPE = re.compile(r"\x1b\[[^a-zA-Z]*[a-zA-Z]")
STILL = 0.15
"""Seconds without output after which the screen stands still."""
WORD = "mulback"
GAP = 0.12
"""Seconds between two letters."""


class CountingDriver(TerminalDriver):
    """Notes when something is written, and what."""

    written: list[tuple[float, str]] = []  # noqa: RUF012 - one driver, one list

    def write(self, data: str) -> None:
        self.written.append((time.monotonic(), data))
        super().write(data)


class Typist(DebuggerApp):
    """Types by itself once torch has answered."""

    CSS_PATH = str(Path(backprop_tui.__file__).with_name("styles") / "backprop.tcss")
    found: list[float]

    def get_driver_class(self) -> type[Driver]:
        return CountingDriver

    def on_ready(self) -> None:
        work = self.step if sys.argv[2] == "steps" else self.search
        self.run_worker(work(), exit_on_error=True)

    async def begin(self) -> None:
        while self.session is None or isinstance(self.oracles.findings.torch, Starting):
            await asyncio.sleep(0.02)
        await self.stillness()

    async def stillness(self) -> None:
        written = CountingDriver.written
        while time.monotonic() - written[-1][0] < STILL:
            await asyncio.sleep(0.01)

    def type(self, key: str, character: str) -> float:
        CountingDriver.written[:] = CountingDriver.written[-1:]
        now = time.monotonic()
        self.post_message(events.Key(key, character))
        return now

    async def step(self) -> None:
        await self.begin()
        self.found = []
        assert self.session is not None
        for _ in range(len(self.session.trace)):
            self.type("s", "s")
            await asyncio.sleep(STILL)
            await self.stillness()
            self.found.append(sum(len(data.encode()) for _, data in CountingDriver.written[1:]))
        self.exit()

    async def search(self) -> None:
        await self.begin()
        self.type("slash", "/")
        await asyncio.sleep(STILL)
        await self.stillness()
        self.found = []
        for count, letter in enumerate(WORD, 1):
            start = self.type(letter, letter)
            await asyncio.sleep(GAP)
            while not (shown := self.shown(WORD[:count])):
                await asyncio.sleep(0.01)
            self.found.append(1000 * (shown - start))
        self.exit()

    def shown(self, text: str) -> float:
        """When the text was written as it is by now; 0 for not yet."""
        for when, data in CountingDriver.written[1:]:
            if text in _ESCAPE.sub("", data):
                return when
        return 0.0


def main(target: Any) -> None:
    app = Typist(target)
    app.run()
    Path(sys.argv[3]).write_text(json.dumps(app.found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
