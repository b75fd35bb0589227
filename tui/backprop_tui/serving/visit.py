"""A visitor's process: `python -P -m backprop_tui.serving.visit SERVED STATE TORCH`.

Its pipes are Textual's protocol for browsers; `serving.visitor` is at the other end.
"""

from __future__ import annotations

import gc
import os
import sys
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Final

from backprop_engine.trace import Missing
from backprop_tui.config.folders import config_file
from backprop_tui.config.settings import read_settings, with_environment
from backprop_tui.memory.keeper import Keeper
from backprop_tui.serving.app import ServedApp
from backprop_tui.serving.reach import Reach, confine

_NOT_ASKED: Final = Missing("PyTorch is not asked", "`backprop-tui serve --torch` asks it")


def main(served: str, state: str, torch: str) -> None:
    """The app, until the visitor leaves; `torch` is empty where it is not asked."""
    gc.disable()  # what is imported stays; the app enables it with its first frame
    warnings.simplefilter("ignore")
    reach = Reach(Path(served), Path(state))
    confine(reach)
    settings = with_environment(read_settings(config_file()), os.environ)
    asked = torch and settings.torch
    ServedApp(
        reach,
        oracle=None if asked else _NOT_ASKED,
        settings=settings,
        keeper=Keeper(reach.state, settings.theme),
    ).run()
    _forget(reach.state)


def _forget(folder: Path) -> None:
    """Remove it: whoever has made it may be gone by now.

    By paths: shutil works with open folders, of which an audit hook is not told.
    """
    with suppress(OSError):
        for path in sorted(folder.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        folder.rmdir()


if __name__ == "__main__":
    main(*sys.argv[1:])
