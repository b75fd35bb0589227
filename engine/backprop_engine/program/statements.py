"""From the statements of a text to a scenario.

A program may be pasted from PyTorch. Then its inputs are the tensors it writes out, and it calls
`backward()` itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TypeGuard

from backprop_engine.basics.source import ProblemError, Source, Span
from backprop_engine.basics.values import Dtype
from backprop_engine.grammar import syntax
from backprop_engine.program import unsupported
from backprop_engine.program.actions import Actions
from backprop_engine.program.dtypes import read_floats
from backprop_engine.program.resolving import changes_in_place
from backprop_engine.program.scenario import Input, Running, Scenario
from backprop_engine.program.setting_up import without_setup
from backprop_engine.program.so_far import SoFar
from backprop_engine.program.torch_idioms import (
    clears_each,
    grad_of,
    leaf_again,
    leaf_subject,
    made_by,
)


def read_program(
    source: Source,
    statements: Iterable[syntax.Statement],
    inputs: Iterable[Input] = (),
    dtype: Dtype | None = None,
    *,
    as_torch: bool = False,
    is_program: bool = False,
) -> Scenario:
    """The scenario that the statements of `source` are; `inputs`, `dtype`: those given beside them.

    `is_program`: it was written for Python, see `Scenario`.
    `as_torch`: floats have torch's default dtype, and what asks for another has that.

    It has no passes where nothing is assigned. Raises ProblemError for what cannot be done here
    and for inputs that contradict each other.
    """
    listed = without_setup(statements)
    floats = read_floats(listed, dtype, as_torch=as_torch)
    so_far = SoFar(source, inputs, floats, is_program=is_program)
    reader = _Reader(so_far)
    for statement in listed:
        reader.read(statement)
    return so_far.scenario()


class _Reader:
    """Reads statement after statement."""

    def __init__(self, so_far: SoFar) -> None:
        self._so_far = so_far
        self._actions = Actions(so_far)
        self._lists: dict[str, tuple[int, tuple[syntax.Name, ...]]] = {}
        """The names in a list, by the name of the list, and the time when it was made."""

    def read(self, statement: syntax.Statement) -> None:
        """Take one statement in."""
        match statement:
            case syntax.Assignment():
                self._assign(statement)
            case syntax.Unpacking():
                self._unpack(statement)
            case syntax.Loop():
                self._loop(statement)
            case syntax.Action(call=call) if (
                call.receiver is not None and call.function == "append"
            ):
                self._append(statement)
            case syntax.Action(call=call) if _changes_tensor(call):
                self._assign(_changing(statement))
            case syntax.Action() | syntax.Setting():
                self._actions.read(statement)

    def _bind(self, name: str) -> None:
        self._lists.pop(name, None)
        self._so_far.bind(name)

    def _assign(self, statement: syntax.Assignment) -> None:
        so_far, name, expression = self._so_far, statement.name, statement.expression
        match expression:
            case syntax.Binary(left=syntax.Attribute(name=changed) as target) if not name:
                if changed != "data" or not expression.in_place:
                    raise unsupported.setting(target, so_far.text(target.span))
        if so_far.drawing.add(name, expression):
            return
        made = made_by(expression)
        if name and made is not None and name not in so_far.bound and not so_far.loops:
            so_far.add_input(syntax.Name(name, statement.name_span), made)
            return
        if not so_far.loops:
            expression = leaf_again(expression)
            statement = replace(statement, expression=expression)
        self._add_computing(statement)
        items = syntax.children(expression)
        if isinstance(expression, syntax.Sequence) and _are_names(items):
            self._lists[name] = so_far.time, items
        if name and leaf_subject(expression) is not None:
            self._actions.keep(name)

    def _add_computing(self, statement: syntax.Assignment | syntax.Unpacking) -> None:
        self._so_far.prepare(statement.expression)
        self._so_far.statements.append(statement)
        self._so_far.numbers.assign(statement)
        for name in statement.names:
            self._bind(name.name)

    def _unpack(self, statement: syntax.Unpacking) -> None:
        targets, values = statement.targets, syntax.children(statement.expression)
        is_listed = isinstance(statement.expression, syntax.Sequence)
        is_made = is_listed and len(targets) == len(values) and all(map(made_by, values))
        if not is_made or self._so_far.loops:
            self._add_computing(statement)
            return
        for name, value in zip(targets, values, strict=True):
            span = Span(name.span.start, value.span.stop)
            self._assign(syntax.Assignment(name.name, value, name.span, span))

    def _append(self, statement: syntax.Action) -> None:
        receiver, values = statement.call.receiver, statement.call.arguments
        if not isinstance(receiver, syntax.Name) or len(values) != 1 or statement.call.keywords:
            raise ProblemError("`append` takes one value", statement.span, "`hs.append(h)`")
        self._so_far.prepare(values[0])
        self._so_far.used.add(receiver.name)
        self._lists.pop(receiver.name, None)
        is_recorded = statement.is_recorded
        made = syntax.Append(receiver, values[0], statement.span, is_recorded=is_recorded)
        self._so_far.statements.append(made)

    def _loop(self, loop: syntax.Loop) -> None:
        """Read a loop's statements, once; how often each runs is known when it does."""
        so_far, targets = self._so_far, syntax.target_names(loop.target)
        if clears_each(loop) and not so_far.loops:
            self._clear_each(loop)
            return
        so_far.prepare(loop.iterable)
        names = {name.name for name in loop.names}.union(targets)
        so_far.numbers.forget(names)
        around: list[Running] = so_far.statements
        so_far.statements = []
        so_far.loops += 1
        for name in targets:
            self._bind(name)
        for statement in loop.body:
            self.read(statement)
        so_far.loops -= 1
        body = tuple(line for line in so_far.statements if isinstance(line, syntax.Computing))
        around.append(replace(loop, body=body))
        so_far.statements = around
        so_far.numbers.forget(names)

    def _clear_each(self, loop: syntax.Loop) -> None:
        """`for p in params: p.grad = None`, one after the other."""
        listed = loop.iterable
        items: tuple[syntax.Expression, ...] = syntax.children(listed)
        time = self._so_far.time
        if isinstance(listed, syntax.Name):
            time, items = self._lists.get(listed.name, (0, ()))
        names = items if _are_names(items) else ()
        if not names or any(self._so_far.bound.get(name.name, 0) > time for name in names):
            raise ProblemError(
                "which values are in this list is not known here",
                listed.span,
                "a list of names, such as `for p in [w, b]:`",
            )
        for item in names:
            name = syntax.Name(item.name, listed.span)
            for statement in loop.body:
                span, to_none = statement.span, isinstance(statement, syntax.Setting)
                grad = syntax.Attribute(name, "grad", span, span)
                self._actions.clear(grad, span, to_none=to_none)


def _changing(action: syntax.Action) -> syntax.Assignment:
    """`y.add_(1)` as an assignment to `y`, which gets a new version."""
    call = action.call
    subject = call.receiver or (call.arguments[0] if call.arguments else None)
    name, span = "", call.span
    if isinstance(subject, syntax.Name):
        name, span = subject.name, subject.span
    return syntax.Assignment(name, call, span, call.span, is_recorded=action.is_recorded)


def _are_names(items: tuple[syntax.Expression, ...]) -> TypeGuard[tuple[syntax.Name, ...]]:
    return all(isinstance(item, syntax.Name) for item in items)


def _changes_tensor(call: syntax.Call) -> bool:
    """Whether a statement of its own changes a tensor in place: `y.add_(1)`."""
    is_grad = call.receiver is not None and grad_of(call.receiver) is not None
    return changes_in_place(call) and not is_grad
