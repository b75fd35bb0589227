"""`‖x‖` in what people type: the norm, which is known of a summary as well."""

from __future__ import annotations

from backprop_engine.basics.values import Known, Value, kept, norm_of
from backprop_engine.grammar import syntax
from backprop_engine.grammar.excerpt import Excerpt
from backprop_engine.grammar.syntax import Expression

_BAR = "‖"
_OPEN = "norm("


def with_norms(excerpt: Excerpt) -> Excerpt:
    """`‖x‖` as `norm(x)`."""
    if _BAR not in excerpt.text:
        return excerpt
    parts: list[str] = []
    offsets: list[int] = []
    bars = 0
    for sign, offset in zip(excerpt.text, excerpt.offsets, strict=False):
        written = sign
        if sign == _BAR:
            written = ")" if bars % 2 else _OPEN
            bars += 1
        parts.append(written)
        offsets += [offset] * len(written)
    return Excerpt(excerpt.source, "".join(parts), [*offsets, excerpt.offsets[-1]])


def normed(expression: Expression) -> Expression | None:
    """What `expression` is the Euclidean norm of; None where it is none."""
    match expression:
        case syntax.Call(function="norm", receiver=None, arguments=(inner,), keywords=()):
            return inner
        case syntax.Call(function="norm", receiver=inner, arguments=(), keywords=()):
            return inner
    return None


def as_asked(value: Known | None, *, is_norm: bool) -> Value | None:
    """A value, or its norm; None where it is not known."""
    if not is_norm or value is None:
        return kept(value)
    return norm_of(value)
