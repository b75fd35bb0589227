"""What single calls of a pasted program ask for: a tensor, a gradient, a truth value."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from backprop_engine.basics.source import ProblemError
from backprop_engine.grammar import syntax
from backprop_engine.grammar.syntax import Call, Expression, postorder
from backprop_engine.program.dtypes import FloatType, float_conversion
from backprop_engine.program.tensors import flag, is_tensor, keeps_graph


def repeats(root: Expression, part: Expression) -> bool:
    """Whether a comprehension in `root` has `part` in its item."""
    return any(
        inner is part
        for comprehension in postorder(root)
        if isinstance(comprehension, syntax.Comprehension)
        for inner in postorder(comprehension.item)
    )


class Made(NamedTuple):
    """A leaf that is written out: the call that makes it, and what is done with it at once."""

    call: Call
    asks_for_grad: bool = False
    converted: FloatType | None = None
    """The dtype of floats that it is converted to."""


def made_by(expression: Expression) -> Made | None:
    """What writes a tensor out, `torch.ones(3).double().requires_grad_()`; None for all else."""
    asks_for_grad: bool | None = None
    converted: FloatType | None = None
    while not is_tensor(expression):
        match expression:
            case Call(function="Parameter", receiver=None, arguments=(inner,), keywords=()):
                asks_for_grad = True
            case Call(function="requires_grad_", receiver=Call() as inner) if converted is None:
                asks_for_grad = only_flag(expression) if asks_for_grad is None else asks_for_grad
            case Call(receiver=Call() as inner) if (to := float_conversion(expression)) is not None:
                converted = converted or to
            case _:
                return None
        expression = inner
    if not isinstance(expression, Call) or (converted and keeps_graph(expression)):
        return None
    return Made(expression, bool(asks_for_grad), converted)


def leaf_again(expression: Expression) -> Expression:
    """`torch.ones(3).requires_grad_()` for `torch.ones(3, requires_grad=True)`, else as it is.

    So a leaf is made for a name that has had another value before.
    """
    if not isinstance(expression, Call) or not is_tensor(expression):
        return expression
    asked = dict(expression.keywords).get("requires_grad")
    if asked is None or not flag(asked, bool | None):
        return expression
    keywords = tuple(keyword for keyword in expression.keywords if keyword[0] != "requires_grad")
    made = replace(expression, keywords=keywords)
    return Call("requires_grad_", made, "", (), (), expression.function_span, expression.span)


def clears_each(loop: syntax.Loop) -> bool:
    """Whether a loop does nothing but `p.grad = None` or `p.grad.zero_()` for each of a list."""
    return isinstance(loop.target, syntax.Name) and all(
        (cleared := _cleared(statement)) is not None and cleared.name == loop.target.name
        for statement in loop.body
    )


def _cleared(statement: syntax.Statement) -> syntax.Name | None:
    match statement:
        case syntax.Setting(target=target, value=syntax.Literal(value=None)):
            return grad_of(target)
        case syntax.Action(call=Call(function="zero_", receiver=receiver, arguments=())) if (
            receiver is not None
        ):
            return grad_of(receiver)
        case _:
            return None


def leaf_subject(expression: Expression) -> Expression | None:
    """The `x` of `x.requires_grad_()` and of `nn.Parameter(x)`."""
    match expression:
        case Call(function="requires_grad_", receiver=receiver):
            return receiver
        case Call(function="Parameter", receiver=None, arguments=(inner,), keywords=()):
            return inner
        case _:
            return None


def grad_of(expression: Expression) -> syntax.Name | None:
    """The `x` of `x.grad` or `x.grad.data`."""
    match expression:
        case syntax.Attribute(name="data", receiver=syntax.Attribute(name="grad") as grad):
            return grad_of(grad)
        case syntax.Attribute(name="grad", receiver=syntax.Name() as name):
            return name
        case _:
            return None


def only_flag(call: Call) -> bool:
    """The argument of `requires_grad_()`, True where there is none."""
    given = (*call.arguments, *(value for _, value in call.keywords))
    if len(given) > 1:
        raise ProblemError("`requires_grad_` takes one argument", given[-1].span)
    return flag(given[0], bool | None) if given else True


def no_arguments(call: Call) -> None:
    """Raise ProblemError for a call with an argument."""
    for argument in (*call.arguments, *(value for _, value in call.keywords)):
        raise ProblemError(f"`{call.function}()` takes no argument", argument.span)
