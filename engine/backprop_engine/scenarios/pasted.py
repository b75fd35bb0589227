"""What single calls of a pasted program ask for: a tensor, a gradient, a truth value."""

from __future__ import annotations

from backprop_engine.expressions import syntax
from backprop_engine.expressions.syntax import Call, Expression, postorder
from backprop_engine.scenarios.tensors import is_float_leaf, is_tensor
from backprop_engine.source import ProblemError


def repeats(root: Expression, part: Expression) -> bool:
    """Whether a comprehension in `root` has `part` in its item."""
    return any(
        inner is part
        for one in postorder(root)
        if isinstance(one, syntax.Comprehension)
        for inner in postorder(one.item)
    )


def made_by(expression: Expression) -> tuple[Call, bool] | None:
    """The call that writes a tensor out, and whether something around it asks for a gradient."""
    match expression:
        case Call(function="Parameter", receiver=None, arguments=(inner,), keywords=()):
            made = made_by(inner)
            return None if made is None else (made[0], True)
        case Call(function="requires_grad_", receiver=Call() as receiver) if is_tensor(receiver):
            return receiver, only_flag(expression)
        case Call() if is_tensor(expression):
            return expression, False
        case Call(function="double" | "float", receiver=Call() as receiver, arguments=()) if (
            is_float_leaf(receiver) and not expression.keywords
        ):
            return receiver, False
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


def flag(expression: Expression) -> bool:
    """`True`, `False` or `None`, written out; ProblemError for all else."""
    if isinstance(expression, syntax.Literal) and isinstance(expression.value, bool | None):
        return bool(expression.value)
    raise ProblemError("this is not a truth value", expression.span, "`True` or `False`")


def only_flag(call: Call) -> bool:
    """The argument of `requires_grad_()`, True where there is none."""
    given = (*call.arguments, *(value for _, value in call.keywords))
    if len(given) > 1:
        raise ProblemError("`requires_grad_` takes one argument", given[-1].span)
    return flag(given[0]) if given else True


def no_arguments(call: Call) -> None:
    """Raise ProblemError for a call with an argument."""
    for argument in (*call.arguments, *(value for _, value in call.keywords)):
        raise ProblemError(f"`{call.function}()` takes no argument", argument.span)
