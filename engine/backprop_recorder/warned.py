"""A warning of torch's names the line that called torch: without us, that of the program."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, Final

from torch import overrides

_OURS: Final = str(Path(__file__).parent)
_ASKS: Final = overrides.handle_torch_function.__code__
"""A function of torch's asks with it whether somebody stands in its place, and is then called a
second time."""


def warning_at_its_place(real: Callable[..., Any]) -> Callable[..., None]:
    """What may stand in the place of `warnings.showwarning`, which is `real`: whether a warning is
    wanted, and was given before, is asked anew for the line that it is about.
    """

    def show(
        message: Any, category: Any, filename: str, lineno: int, *rest: Any, **how: Any
    ) -> None:
        ours = _innermost_of_ours(sys._getframe(1)) if filename.startswith(_OURS) else None
        place = None if ours is None else _outside(ours)
        if ours is None or place is None:
            real(message, category, filename, lineno, *rest, **how)
            return
        ours.f_globals.get("__warningregistry__", {}).clear()
        registry = place.f_globals.setdefault("__warningregistry__", {})
        module = place.f_globals.get("__name__")
        code = place.f_code
        warnings.warn_explicit(
            message, category, code.co_filename, place.f_lineno, module, registry
        )

    return show


def _innermost_of_ours(frame: FrameType | None) -> FrameType | None:
    while frame is not None and not _is_ours(frame):
        frame = frame.f_back
    return frame


def _is_ours(frame: FrameType) -> bool:
    return frame.f_code.co_filename.startswith(_OURS)


def _outside(frame: FrameType | None) -> FrameType | None:
    """Who has called torch, where `frame` stands in the place of a function of torch's."""
    while frame is not None:
        if frame.f_code is _ASKS:
            frame = frame.f_back and frame.f_back.f_back
        elif _is_ours(frame):
            frame = frame.f_back
        else:
            break
    return frame
