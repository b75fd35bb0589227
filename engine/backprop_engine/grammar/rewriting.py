"""Syntax trees with some of their parts replaced."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from typing import Any

from backprop_engine.grammar import syntax


def rewritten(
    root: syntax.Expression, change: Callable[[syntax.Expression], syntax.Expression]
) -> syntax.Expression:
    """The tree with each part as `change` makes it, the innermost first.

    Parts that `change` leaves alone, and all that they are made of, stay the same objects.
    """
    changed: dict[syntax.Expression, syntax.Expression] = {}
    for part in syntax.postorder(root):
        made = change(_with(part, changed))
        if made is not part:
            changed[part] = made
    return changed.get(root, root)


def _with(
    part: syntax.Expression, changed: Mapping[syntax.Expression, syntax.Expression]
) -> syntax.Expression:
    """`part` with the changed ones in the place of its own."""
    if not any(child in changed for child in syntax.children(part)):
        return part

    def of(value: Any) -> Any:
        """What a field has then: an expression, or a tuple of what has some."""
        if isinstance(value, tuple):
            return tuple(map(of, value))
        return changed.get(value, value) if isinstance(value, syntax.Expression) else value

    return replace(part, **{field.name: of(getattr(part, field.name)) for field in fields(part)})
