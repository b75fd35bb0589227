"""Draws the README's picture with the app itself: `y = x² + 3x + 1` before its last step."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
COLUMNS, ROWS = 120, 37

# Read by Textual when it is imported, and each would change the picture.
for name in ("NO_COLOR", "TEXTUAL_THEME", "TEXTUAL_COLOR_SYSTEM"):
    os.environ.pop(name, None)


async def draw() -> str:
    """The screen as SVG, once torch has answered."""
    from backprop_tui.app.app import DebuggerApp
    from backprop_tui.oracles.report import Starting
    from backprop_tui.view.glyphs import UNICODE

    os.chdir(ROOT)  # the title bar shows the path as it was given
    app = DebuggerApp(Path("scenarios/basic.yaml"), glyphs=UNICODE)
    async with app.run_test(size=(COLUMNS, ROWS)) as pilot:
        await pilot.press("f", "f", "S")
        while isinstance(app.oracles.findings.torch, Starting):
            await pilot.pause(0.1)
        await pilot.pause()
        return app.export_screenshot(title="backprop-tui scenarios/basic.yaml", simplify=True)


if __name__ == "__main__":
    picture = Path(sys.argv[1]) if sys.argv[1:] else ROOT / ".github" / "screenshot.svg"
    picture = picture.resolve()  # before `draw` changes the folder
    picture.write_text(asyncio.run(draw()), encoding="utf-8")
    print(picture)
