"""`‖x‖` in what people type: the norm, which is known of a summary as well."""

from __future__ import annotations

from backprop_engine.basics.values import Known, Value, kept, norm_of
from backprop_engine.grammar import syntax
from backprop_engine.grammar.excerpt import Excerpt
from backprop_engine.grammar.syntax import Expression


def with_norms(excerpt: Excerpt) -> Excerpt:
    """`‖x‖` as `norm(x)`."""
    bars = [at for at, sign in enumerate(excerpt.text) if sign == "‖"]
    return excerpt.edited(
        (at, at + 1, ")" if number % 2 else "norm(") for number, at in enumerate(bars)
    )


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
