"""Draws the README's picture with the app itself: `y = x² + 3x + 1`, step by step."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from moving import Moment, moving

ROOT = Path(__file__).parents[1]
COLUMNS, ROWS = 100, 24
STILL = 9
"""The moment before the last step."""
FORWARD, BACKWARD, END = 1.2, 2.4, 4.0
"""Seconds for which a step is shown."""
PRESSED = (
    [("s", FORWARD)] * 3 + [("s", BACKWARD)] * 6 + [("s", END), ("S", BACKWARD), ("S", BACKWARD)]
)
WORDS = {"s": "one step", "S": "one step back", "r": "from the start"}

# Read by Textual when it is imported, and each would change the picture.
for name in ("NO_COLOR", "TEXTUAL_THEME", "TEXTUAL_COLOR_SYSTEM"):
    os.environ.pop(name, None)


async def draw() -> str:
    """The screen after each key, once torch has answered."""
    from backprop_tui.app.app import DebuggerApp
    from backprop_tui.oracles.report import Starting
    from backprop_tui.view.glyphs import UNICODE

    os.chdir(ROOT)  # the title bar shows the path as it was given
    app = DebuggerApp(Path("scenarios/basic.yaml"), glyphs=UNICODE)
    moments = []
    async with app.run_test(size=(COLUMNS, ROWS)) as pilot:
        while isinstance(app.oracles.findings.torch, Starting):
            await pilot.pause(0.1)
        for key, seconds in [("r", FORWARD), *PRESSED]:
            await pilot.press(key)
            await pilot.pause()
            picture = app.export_screenshot(simplify=True)
            moments.append(Moment(picture, key, WORDS[key], seconds))
    return moving(moments, COLUMNS, ROWS, "backprop-tui scenarios/basic.yaml", STILL)


if __name__ == "__main__":
    picture = Path(sys.argv[1]) if sys.argv[1:] else ROOT / ".github" / "screenshot.svg"
    picture = picture.resolve()  # before `draw` changes the folder
    picture.write_text(asyncio.run(draw()), encoding="utf-8")
    print(picture)
