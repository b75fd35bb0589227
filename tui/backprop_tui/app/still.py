"""The app's screen at a step, as a picture: drawn by the app itself, on no terminal."""

from __future__ import annotations

import asyncio
import re

from backprop_engine.trace import Missing, Trace
from backprop_tui.app.app import DebuggerApp
from backprop_tui.oracles.report import Starting
from backprop_tui.view.glyphs import UNICODE
from backprop_tui.view.text import printable

COLUMNS, ROWS = 120, 37


def still(trace: Trace, cursor: int, torch: Missing | None = None) -> str:
    """The screen as SVG at `cursor`, with torch's answer unless that is `Missing`."""
    svg = asyncio.run(_drawn(trace, cursor, torch))
    # Its font would be fetched from somewhere; each text has its length, so that any will do.
    return re.sub(r"@font-face\s*\{[^}]*\}", "", svg)


async def _drawn(trace: Trace, cursor: int, torch: Missing | None) -> str:
    app = DebuggerApp(trace, glyphs=UNICODE, oracle=torch)
    async with app.run_test(size=(COLUMNS, ROWS)) as pilot:
        await pilot.press("g", *str(cursor), "enter")
        while isinstance(app.oracles.findings.torch, Starting):
            await pilot.pause(0.1)
        await pilot.pause()
        return app.export_screenshot(title=printable(trace.heading.title), simplify=True)
