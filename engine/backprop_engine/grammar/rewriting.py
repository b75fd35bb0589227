"""Syntax trees with some of their parts replaced."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

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


def _with(  # noqa: C901 - a case for each kind of expression
    part: syntax.Expression, changed: Mapping[syntax.Expression, syntax.Expression]
) -> syntax.Expression:
    """`part` with the changed ones in the place of its own."""
    if not any(child in changed for child in syntax.children(part)):
        return part

    def of(child: syntax.Expression) -> syntax.Expression:
        return changed.get(child, child)

    def of_bound(child: syntax.Expression | None) -> syntax.Expression | None:
        return None if child is None else of(child)

    match part:
        case syntax.Sequence(items=items):
            return replace(part, items=tuple(map(of, items)))
        case syntax.Unary(operand=operand):
            return replace(part, operand=of(operand))
        case syntax.Star(value=value):
            return replace(part, value=of(value))
        case syntax.Binary(left=left, right=right):
            return replace(part, left=of(left), right=of(right))
        case syntax.Call(receiver=receiver, arguments=arguments, keywords=keywords):
            return replace(
                part,
                receiver=of_bound(receiver),
                arguments=tuple(map(of, arguments)),
                keywords=tuple((name, of(value)) for name, value in keywords),
            )
        case syntax.Attribute(receiver=receiver):
            return replace(part, receiver=of(receiver))
        case syntax.Slice(start=start, stop=stop, step=step):
            return replace(part, start=of_bound(start), stop=of_bound(stop), step=of_bound(step))
        case syntax.Subscript(receiver=receiver, items=items):
            return replace(part, receiver=of(receiver), items=tuple(map(of, items)))
        case syntax.Comprehension(iterable=iterable, item=item):
            return replace(part, iterable=of(iterable), item=of(item))
        case _:
            return part
