"""Memory that is free and that the system could have."""

from __future__ import annotations

import ctypes
import sys


def give_back_memory() -> None:
    """Let the system have what is free, where the C library would keep it, as glibc does."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:
        trim(0)
