"""How far long searches go: a fixed share of the way in `make test`, all of it in `make fuzz`."""

from __future__ import annotations

import os
from typing import TypeVar

T = TypeVar("T")


def share(usual: T, thorough: T) -> T:
    """How many to try, or which: `usual`, or `thorough` where the environment says `THOROUGH`."""
    return thorough if os.environ.get("THOROUGH") else usual
