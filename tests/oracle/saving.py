"""What torch saves of an operation for its derivatives, found out by changing it before backward.

`python -m tests.oracle.saving` writes the table of the engine anew.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch

from backprop_engine.basics.source import Source
from backprop_engine.basics.values import is_float
from backprop_engine.catalogue import GROUPS, OPERATIONS
from backprop_engine.catalogue.saved import PATH
from backprop_engine.graph import Graph
from backprop_engine.operation import OPERAND_LETTERS, Operation, Sharing
from backprop_engine.run.record import record
from backprop_engine.run.tape import graph_of
from backprop_engine.scenarios.loader import parse_shorthand

MORE = (
    "x=[1,2], n=[1,3], y=x**n + 2**x + x**2 + x**0.5 + x**3, z=y.sum()",
    "x=[1,2], y=2*x + x*3 + 2/x + x/4 + 1 - x + (x - 1), z=y.sum()",
    "A=[[1,2],[3,4]], v=[1,2], y=(A@v).sum() + v@v + (v@A).sum() + (A@A).sum()",
    "A=[[1,2],[3,4]], T=A.reshape(1,2,2), y=(T@A).sum() + (T@T).sum() + (T@A[0]).sum()",
    "A=[[1,2],[3,4]], y=A[0,1]*2 + A[[0,0]].sum() + A[:,1:].sum() + A[A>2].sum() + A[None].sum()",
    "A=[[1,2],[3,4]], y=A.sum(0).sum() + A.mean(1).sum() + A.prod(0).sum() + A.prod() + A.std()",
    "A=[[1,2],[3,4]], y=A.var(0).sum() + A.norm() + A.norm(1) + A.norm(3) + A.norm(dim=1).sum()",
    "A=[[1,2],[3,4]], y=A.max() + A.min(0).values.sum() + A.amax(1).sum() + A.max(A*2).sum()",
    "A=[[1,2],[3,4]], y=A.T.reshape(4).sum() + A.T.contiguous().sum() + A.T.flatten().sum()",
    "A=[[1,2],[3,4]], y=A.logsumexp(0).sum() + A.cumsum(0).sum() + A.cumprod(0).sum()",
    "A=[[1,2],[3,4]], y=A.clamp(1.5,3).sum() + A.clamp(min=2).sum() + A.clamp(max=A*2).sum()",
    "A=[[1,2],[3,4]], y=where(A>2, A, 2*A).sum() + where(A>2, A, 0.0).sum() + A.abs().sum()",
    "A=[[1,2],[3,4]], y=A.softmax(1).sum() + A.log_softmax(0).sum() + A.std(0).sum() + A.var()",
    "A=[[1,2],[3,4]], y=F.mse_loss(A, A*2) + F.l1_loss(A, A*2, reduction='sum')",
    "A=[[1,2],[3,4]], y=F.gelu(A).sum() + F.gelu(A, approximate='tanh').sum() + F.elu(A).sum()",
    "A=[[1,2],[3,4]], B=A*2, B[0]=A[1], B[[0,1]]=A, B.copy_(A), B.zero_(), y=B.sum()",
    "A=[[1,2],[3,4]], B=A*2, B.fill_(2), B.fill_(A[0,0]), B.T[0]=1, B[:]=A[0,1], y=B.sum()",
    "A=[[1,2],[3,4]], w=[1,2], b=[3,4], y=F.layer_norm(A, (2,), w, b).sum() + A[...].sum()",
    "A=[[1,2],[3,4]], w=[1,2], b=[3,4], y=F.rms_norm(A, (2,), w).sum() + F.linear(A, A).sum()",
    "A=[[1,2],[3,4]], w=[1,2], b=[3,4], y=F.batch_norm(A, None, None, w, b, True).sum()",
    "A=[[1,2],[3,4]], w=[1,2], b=[3,4], y=F.group_norm(A, 1, w, b).sum() + F.linear(A, A, b).sum()",
    "A=[[1,2],[3,4]], w=[1,2], y=F.prelu(A, w).sum()",
    "A=[[1,2],[3,4]], w=[1,2], y=A.expand(2,2,2).sum() + w.unfold(0,2,1).sum()",
    "X=[[[1,2,3],[4,5,6]]], W=[[[1,2],[3,4]]], b=[1], y=F.conv1d(X, W, b).sum()",
    "X=[[[1,2,3],[4,5,6]]], w=[1,2], b=[3,4], y=F.instance_norm(X, None, None, w, b).sum()",
    "X=[[[[1,2,3],[4,5,6]]]], W=[[[[1,2],[3,4]]]], b=[1], y=F.conv2d(X, W, b).sum()",
    "X=[[[[1,2,3],[4,5,6]]]], W=[[[[1,2],[3,4]]]], b=[1], y=F.conv_transpose2d(X, W, b).sum()",
    "A=[[1,2],[3,4]], y=F.mse_loss(A, A*2, reduction='sum')",
    "p=[0.2,0.7], t=[0,1], y=F.binary_cross_entropy(p, t) + (p.clamp(0.3)).sum()",
    "A=[[1,2],[3,4]], y=(A*A[0]).sum() + (A/A[0]).sum() + (A - A[0]).sum() + (3 - A).sum()",
    "A=[[1,2],[3,4]], y=A.mean((0,1)) + A.sum((0,1)) + A.norm(dim=0).sum() + A.norm(2, 1).sum()",
    "A=[[1,2],[3,4]], y=A.std(1).sum() + A.logsumexp(1).sum()",
    "A=[[1,2],[3,4]], y=A.median(0).values.sum() + A.T.mean()",
    "A=[[1,2],[3,4]], y=A.norm(float('inf')) + A.norm(0.5) + A.sort(0).values.sum()",
    "A=[[1,2],[3,4]], y=(A*2).sigmoid().sum() + (-A).exp().sum()",
    "A=[[1,2],[3,4]], y=A.roll(1).sum() + A.tril().sum()",
    "A=[[1,2],[3,4]], y=torch.outer(A[0], A[1]).sum() + torch.einsum('ij,jk->ik', A, A).sum()",
    "A=[[1,2],[3,4]], y=torch.einsum('ij->j', A).sum()",
    "A=[[1,2],[3,4]], y=torch.cat([A, A*2]).sum() + A.cumsum(1).sum()",
)
"""Applications that torch has autograd nodes of their own for, and no example has."""

EXAMPLES = tuple(one.description.example for one in OPERATIONS.values() if one.description.example)

_SHIFTED = "modified by an inplace operation"
_FREED = "a second time"


_HEADER = """\
# Operation, torch's autograd node, and for each operand what is saved for its derivative: operands
# (a, b, …; o: all others), the output (y), something else (*), nothing (-).
# An operation with an underscore changes its first operand in place; some have no derivative (!).
"""


class Row(NamedTuple):
    """What one kind of autograd node saves."""

    name: str
    grad_fn: str
    columns: tuple[str, ...]

    def united(self, other: Row) -> Row:
        """What either saves; the longer one where they have more operands."""
        short, long = sorted((self.columns, other.columns), key=len)
        both = (*map(_either, short, long[: len(short)]), *long[len(short) :])
        return self._replace(columns=both)


def _either(ours: str, other: str) -> str:
    found = {*ours, *other} - {"-"}
    if len(found) > 1:
        found -= {"*"}
    return "".join(sorted(found)) or "-"


def text_of(rows: Iterable[Row]) -> str:
    """The table as a file."""
    lines = [f"{row.name} {row.grad_fn} {' '.join(row.columns)}" for row in rows]
    return _HEADER + "\n".join(sorted(lines)) + "\n"


class Application(NamedTuple):
    """An operation on values that can be made again and again."""

    operation: Operation
    operands: tuple[Any, ...]
    is_number: tuple[bool, ...]
    attributes: dict[str, Any]
    grad_fn: str


def applications(texts: Iterable[str]) -> Iterator[Application]:
    """Every operation that these scenarios apply to something that requires grad."""
    for text in texts:
        graph = graph_of(record(parse_shorthand(Source("<-e>", text))))
        for node, one in enumerated(graph):
            is_new = not graph.hands_through(node) and node not in graph.same
            if graph.requires_grad[node] and is_new:
                yield one


def enumerated(graph: Graph) -> Iterator[tuple[int, Application]]:
    """The nodes that operations made, with what they were made of."""
    for node, (operation, operands) in enumerate(zip(graph.operation, graph.operands, strict=True)):
        if operation is not None:
            values = tuple(graph.value[operand] for operand in operands)
            numbers = tuple(bool(graph.is_number[operand]) for operand in operands)
            attributes = dict(graph.attributes_of(node))
            yield node, Application(operation, values, numbers, attributes, graph.grad_fn(node))


def measured(one: Application, in_place: bool = False) -> Row | None:
    """What torch saves for each operand that requires grad alone; None where it has no such."""
    columns = []
    count = len(one.operands) if one.operation.variadic else len(one.operation.derivatives)
    for position in range(min(count, len(one.operands))):
        can_require = is_float(one.operands[position]) and not one.is_number[position]
        columns.append(_column(one, position, in_place) if can_require else "-")
    if in_place and "?" in columns:
        return None
    name = one.operation.name + "_" * in_place
    if one.operation.variadic:
        letters = {letter for column in columns for letter in column}
        columns = ["o" if letters & {*OPERAND_LETTERS} else "*" if "*" in letters else "-"]
    return Row(name, one.grad_fn, tuple(columns))


def _column(one: Application, position: int, in_place: bool) -> str:
    found = ""
    targets = [at for at, is_number in enumerate(one.is_number) if not is_number]
    for at in targets:
        if in_place and at == 0:
            continue
        outcome = _told(one, position, in_place, lambda operands, _, at=at: operands[at])
        if outcome in ("?", "!"):
            return outcome
        found += OPERAND_LETTERS[at] if outcome == _SHIFTED else ""
    outcome = _told(one, position, in_place, lambda _, output: output)
    if outcome in ("?", "!"):
        return outcome
    found += "y" if outcome == _SHIFTED else ""
    return found or ("*" if _told(one, position, in_place, None) == _FREED else "-")


def _told(
    one: Application, position: int, in_place: bool, changed: Callable[..., Any] | None
) -> str:
    """What torch objects to, once `changed` has been changed; twice backward where it is None."""
    operands = [
        value if is_number and one.operation.arithmetic else torch.tensor(np.array(value))
        for value, is_number in zip(one.operands, one.is_number, strict=True)
    ]
    operands[position].requires_grad_()
    try:
        if in_place:
            output = _changed_in_place(one, operands)
        else:
            output = one.operation.twins.torch(torch, *operands, **one.attributes)
    except (RuntimeError, TypeError, AttributeError, ValueError):
        if in_place:
            return "?"
        raise
    if not output.requires_grad:
        return "?" if in_place else ""
    edge = torch.autograd.graph.get_gradient_edge(output)  # a view would be made anew
    if changed is not None:
        torch.autograd.graph.increment_version(changed(operands, output))
    try:
        for _ in range(1 if changed is not None else 2):
            torch.autograd.backward(edge, torch.ones_like(output))
    except NotImplementedError:  # as for `asinh_`
        return "!"
    except RuntimeError as error:
        return next(words for words in (_SHIFTED, _FREED) if words in str(error))
    return ""


def _changed_in_place(one: Application, operands: list[Any]) -> Any:
    """`a.mul_(b)`, or `F.elu(a, inplace=True)`."""
    name, operation = one.operation.name, one.operation
    first, *others = operands
    before = first.clone()
    if any(parameter.name == "inplace" for parameter in operation.spelling.parameters):
        function = getattr(torch.nn.functional, name)
        return function(before, *others, **one.attributes, inplace=True)
    plain = name.partition(".")[0]
    return getattr(before, plain + "_")(*others, **one.attributes)


def table() -> list[Row]:
    """The rows of all operations, from their examples and `MORE`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of `torch.cross`
        return _united(applications([*EXAMPLES, *MORE]))


def _united(applied: Iterable[Application]) -> list[Row]:
    rows: dict[tuple[str, str], Row] = {}
    for one in applied:
        found = [measured(one)]
        if (
            one.operation.sharing is Sharing.NEVER
            and one.operation not in GROUPS["Changing in place"]
        ):
            found.append(measured(one, in_place=True))
        for row in found:
            if row is not None:
                key = row.name, row.grad_fn
                rows[key] = row.united(rows[key]) if key in rows else row
    return [row for row in rows.values() if not _is_told_twice(row, rows)]


def _is_told_twice(row: Row, rows: dict[tuple[str, str], Row]) -> bool:
    """Whether a change in place saves what the operation saves anyway."""
    plain = rows.get((row.name.removesuffix("_"), row.grad_fn))
    return row.name.endswith("_") and plain is not None and plain.columns == row.columns


if __name__ == "__main__":
    PATH.write_text(text_of(table()), "utf-8")
