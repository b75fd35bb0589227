"""How far long searches go: a fixed share of the way in `make test`, all of it in `make fuzz`."""

from __future__ import annotations

import os


def share(usual: int, thorough: int) -> int:
    """How many to try: `usual`, or `thorough` where the environment says `THOROUGH`."""
    return thorough if os.environ.get("THOROUGH") else usual
