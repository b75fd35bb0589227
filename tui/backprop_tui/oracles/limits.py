"""How long the oracles may take for an answer, where nobody has set it; the start included."""

from __future__ import annotations

from typing import Final

TORCH_SECONDS: Final = 120.0
"""It starts in two, and takes about a minute for a million nodes."""

SYMBOLIC_SECONDS: Final = 12.0
"""Sympy starts in one, and what takes it longer than this may take it for ever."""

YOURS_SECONDS: Final = 10.0
"""A learner's file, for one program; a usual one takes some milliseconds."""
