"""What two programs keep of one scenario, put together: a three-way merge by key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from backprop_tui.memory.layout import Remembered

_KEYS: Final[Mapping[str, tuple[str | int, ...]]] = {
    "breakpoints": ("on", "name", "condition"),
    "watches": ("expression",),
    "folds": (0, 1),
}
"""The parts that tell the entries of each list apart."""


def merge(
    base: Remembered, ours: Remembered, theirs: Remembered
) -> tuple[Remembered, tuple[str, ...]]:
    """`ours`, with what `theirs` has of its own since `base`; and what both have changed.

    Where both have, ours is kept.
    """
    kept, both = dict[str, Any](), list[str]()
    for section, parts in _KEYS.items():
        before, mine, other = (
            {tuple(entry[part] for part in parts): entry for entry in version.session[section]}
            for version in (base, ours, theirs)
        )
        merged = {}
        for key in dict.fromkeys([*mine, *other]):
            was, here, there = before.get(key), mine.get(key), other.get(key)
            merged[key] = there if here == was else here
            if here not in (was, there) and there != was:
                both.append(" if ".join(part for part in map(str, key[-2:]) if part))
        kept[section] = [entry for entry in merged.values() if entry is not None]
    layout = theirs.layout if ours.layout == base.layout else ours.layout
    theme = theirs.theme if ours.theme == base.theme else ours.theme
    return Remembered(kept, layout, theme), tuple(both)
