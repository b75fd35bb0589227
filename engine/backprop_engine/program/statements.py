"""What the statements of a program say: inputs, computing, and backward passes.

A program may be pasted from PyTorch. Then its inputs are the tensors it writes out, and it calls
`backward()` itself. All computing is one forward pass here, and the backward passes follow in
their order: no value depends on a gradient, so nothing comes out otherwise.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TypeGuard

import numpy as np

from backprop_engine.basics.source import ProblemError, Source, Span
from backprop_engine.basics.suggestions import did_you_mean
from backprop_engine.basics.values import Dtype, Value, as_floats, dtype_of, is_float
from backprop_engine.budget import Budget
from backprop_engine.grammar import syntax
from backprop_engine.grammar.syntax import (
    Action,
    Append,
    Assignment,
    Attribute,
    Call,
    Computing,
    Expression,
    Loop,
    Setting,
    Statement,
    Unpacking,
    postorder,
    target_names,
)
from backprop_engine.program import unsupported
from backprop_engine.program.drawing import Drawing
from backprop_engine.program.dtypes import Floats, FloatType, default_dtype, read_floats
from backprop_engine.program.python_numbers import Known, NotWrittenError
from backprop_engine.program.resolving import changes_in_place, function_value
from backprop_engine.program.scenario import Backward, Input, Retain, Scenario, ZeroGrad
from backprop_engine.program.setting_up import without_setup
from backprop_engine.program.static_numbers import KnownNumbers
from backprop_engine.program.tensors import (
    Origin,
    Tensor,
    is_random,
    is_tensor,
    make_tensor,
)
from backprop_engine.program.torch_idioms import (
    Made,
    clears_each,
    flag,
    grad_of,
    leaf_again,
    leaf_subject,
    made_by,
    no_arguments,
    only_flag,
    repeats,
)
from backprop_engine.run.evaluate import Evaluation


@dataclass(frozen=True, eq=False, slots=True)
class Program:
    """The statements of a text, sorted; see `Scenario` for the parts."""

    dtype: Dtype
    default_dtype: Dtype
    """What torch gives to floats that are made of whole numbers."""
    inputs: tuple[Input, ...]
    statements: tuple[Computing, ...]
    passes: tuple[Backward | ZeroGrad, ...]
    retained: tuple[Retain, ...]
    leaves: tuple[str, ...]
    """The names, with versions, of values that `requires_grad_()` was called of."""
    tensors: Mapping[Expression, Value]
    changes_in_place: bool
    note: str = ""
    """What is to be told of random numbers that torch would not draw."""

    @property
    def assigned(self) -> tuple[str, ...]:
        """Every name that is assigned, as often as it is."""
        return tuple(name.name for one in self.statements if one.has_target for name in one.names)

    @property
    def looped(self) -> frozenset[str]:
        """The names that are assigned in loops."""
        loops = (one for one in self.statements if isinstance(one, Loop))
        return frozenset(name.name for one in loops for name in one.names)

    @property
    def default_pass(self) -> Backward:
        """`backward()` of the last name assigned."""
        names = [name for one in self.statements if one.has_target for name in one.names]
        return Backward(names[-1].name, None, names[-1].span)


def read_program(
    source: Source,
    statements: Iterable[Statement],
    inputs: Iterable[Input] = (),
    dtype: Dtype | None = None,
    *,
    as_torch: bool = False,
    is_program: bool = False,
) -> Program:
    """Sort the statements of `source`; `inputs` and `dtype` are those given beside them.

    `is_program`: it was written for Python, see `Scenario`.
    `as_torch`: floats have torch's default dtype, and what asks for another has that.

    Raises ProblemError for what cannot be done here and for inputs that contradict each other.
    """
    listed = without_setup(statements)
    floats = read_floats(listed, dtype, as_torch=as_torch)
    reader = _Reader(source, inputs, floats, is_program=is_program)
    for statement in listed:
        reader.read(statement)
    return reader.program()


class _Reader:
    """Reads statement after statement."""

    def __init__(
        self, source: Source, inputs: Iterable[Input], floats: Floats, *, is_program: bool
    ) -> None:
        self.source = source
        self._is_program = is_program
        self._floats = floats
        self.inputs = {one.name: one for one in inputs}
        self.statements: list[Computing] = []
        """Those of the innermost loop, while one is read."""
        self.passes: list[Backward | ZeroGrad] = []
        self.retained: list[Retain] = []
        self._leaves: dict[str, None] = {}
        self.tensors: dict[Expression, Value] = {}
        self._budget = Budget()
        self._numbers = KnownNumbers()
        self._drawing = Drawing(self._numbers, as_torch=floats.as_torch)
        for one in self.inputs.values():
            self._numbers.add_input(one)
        self._assigned: Counter[str] = Counter(list(self.inputs))
        self._passes_before: dict[str, int] = {}
        """How many passes stand before the last assignment of a name."""
        self.changes_in_place = False
        self._used: set[str] = set()
        self._loops: list[Loop] = []
        """Those that are being read, the innermost last."""
        self._looped: set[str] = set()
        self._lists: dict[str, tuple[str, ...]] = {}
        """The lists of names that have one, with the versions that are in them."""

    def program(self) -> Program:
        """Everything read so far."""
        return Program(
            self._floats.dtype,
            self._floats.default,
            tuple(self.inputs.values()),
            tuple(self.statements),
            tuple(self._named(one) for one in self.passes),
            tuple(replace(one, name=self._version_name(one.name)) for one in self.retained),
            tuple(map(self._version_name, self._leaves)),
            self.tensors,
            self.changes_in_place,
            self._drawing.note,
        )

    def read(self, statement: Statement) -> None:
        """Take one statement in."""
        match statement:
            case Assignment():
                self._assign(statement)
            case Unpacking():
                self._unpack(statement)
            case Loop():
                self._loop(statement)
            case Action(call=call) if _appends(call):
                self._append(statement)
            case Action(call=call) if _changes_tensor(call):
                self._assign(self._changing(statement))
            case Action() | Setting() if self._loops:
                raise unsupported.in_loop(statement, self._text(statement.span))
            case Action(call=call):
                self._act(call)
            case Setting():
                self._set(statement)

    def _known_so_far(self) -> Known:
        """What names and sizes stand for once all that has been read so far has run."""
        scenario = Scenario(
            self.source,
            tuple(self.inputs.values()),
            tuple(self.statements),
            (),
            self._floats.dtype,
            self._floats.default,
            tensors=self.tensors,
            changes_in_place=self.changes_in_place,
            is_program=self._is_program,
        )
        with np.errstate(all="ignore"):  # inf and nan are values here, as in the run itself
            return Evaluation(scenario).known

    # Names: while the text is read, every mention carries its version

    def _bind(self, name: str) -> None:
        self._lists.pop(name, None)
        self._assigned[name] += 1
        self._passes_before[name] = len(self.passes)

    def _version(self, name: str) -> str:
        return f"{name}@{self._assigned[name]}"

    def _version_name(self, version: str) -> str:
        """`h@2`, or `h` where it is the only one, or the last of many that a loop makes."""
        name, _, number = version.rpartition("@")
        if name in self._looped:
            return self._last_of_loop(name, int(number))
        return version if self._assigned[name] > 1 else name

    def _last_of_loop(self, name: str, number: int) -> str:
        if number == self._assigned[name]:
            return name
        mention = next(
            one.span
            for one in (*self.passes, *self.retained)
            if isinstance(one, Backward | Retain) and self._mentions(one, name)
        )
        raise ProblemError(
            f"`{name}` is assigned again after this, and in a loop",
            mention,
            fix="give what comes later a name of its own",
        )

    def _mentions(self, one: Backward | Retain, name: str) -> bool:
        names = [one.output, one.gradient_name] if isinstance(one, Backward) else [one.name]
        return any(
            (
                version.rpartition("@")[0] == name
                and not version.endswith(f"@{self._assigned[name]}")
            )
            for version in names
        )

    def _named(self, one: Backward | ZeroGrad) -> Backward | ZeroGrad:
        if isinstance(one, ZeroGrad):
            is_version = one.name in self._leaves
            return replace(one, name=self._version_name(one.name or "")) if is_version else one
        gradient = one.gradient_name and self._version_name(one.gradient_name)
        return replace(one, output=self._version_name(one.output), gradient_name=gradient)

    def _versions(self, names: Iterable[Expression]) -> tuple[str, ...]:
        return tuple(self._version(one.name) for one in names if isinstance(one, syntax.Name))

    def _known(self, name: syntax.Name) -> str:
        if name.name not in self._assigned:
            raise ProblemError(
                f"unknown name `{name.name}`",
                name.span,
                fix=did_you_mean(name.name, self._assigned),
            )
        return name.name

    # Assignments

    def _assign(self, statement: Assignment) -> None:
        if not statement.name:
            statement = replace(statement, name=self._text(statement.span))
        if self._drawing.add(statement.name, statement.expression):
            return
        name, made = statement.name, made_by(statement.expression)
        if made is not None and name not in self._assigned and not self._loops:
            self._add_input(statement, made)
            return
        if not self._loops:
            statement = replace(statement, expression=leaf_again(statement.expression))
        self._prepare(statement.expression)
        self.statements.append(statement)
        self._numbers.assign(statement)
        self._bind(name)
        items = syntax.children(statement.expression)
        if isinstance(statement.expression, syntax.Sequence) and all(map(_is_name, items)):
            self._lists[name] = self._versions(items)
        if leaf_subject(statement.expression) is not None:
            self._leaves[self._version(name)] = None

    def _unpack(self, statement: Unpacking) -> None:
        targets, values = statement.targets, syntax.children(statement.expression)
        is_listed = isinstance(statement.expression, syntax.Sequence)
        is_made = is_listed and len(targets) == len(values) and all(map(made_by, values))
        if is_made and not self._loops:
            for name, value in zip(targets, values, strict=True):
                span = Span(name.span.start, value.span.stop)
                self._assign(Assignment(name.name, value, name.span, span))
            return
        self._prepare(statement.expression)
        self.statements.append(statement)
        self._numbers.assign(statement)
        for name in statement.names:
            self._bind(name.name)

    def _add_input(self, statement: Assignment, made: Made) -> None:
        call, asks_for_grad, converted = made
        tensor = self._tensor(call, converted)
        requires_grad = tensor.requires_grad or asks_for_grad
        if requires_grad and not is_float(tensor.value):
            raise ProblemError(
                "only Tensors of floating point dtype can require gradients",
                call.span,
                fix="write its numbers with a point, such as `2.`",
            )
        name, span = statement.name, statement.name_span
        self.inputs[name] = Input(name, tensor.value, requires_grad, span, is_tensor=True)
        self._numbers.add_input(self.inputs[name])
        self._bind(name)

    def _tensor(self, call: Call, converted: FloatType | None = None) -> Tensor:
        made = self._floats.of_tensor(call)
        tensor = self._made(call, made.dtype)
        if converted is not None:
            made = converted
            dtype = made.dtype if self._floats.as_torch else self._floats.dtype
            tensor = replace(tensor, value=as_floats(tensor.value, dtype))
        if is_float(tensor.value):
            self._floats.take(made)
        if is_random(call):
            self._drawing.drawn(call, dtype_of(tensor.value))
        self._budget.take_at(call.span, tensor.value)
        return tensor

    def _made(self, call: Call, dtype: Dtype) -> Tensor:
        """The tensor that a call writes out, of sizes that may be those of computed values."""
        stream = self._drawing.stream(call)
        try:
            return make_tensor(call, Origin(stream, dtype, self._numbers))
        except NotWrittenError:
            if self._loops or not self.statements:
                raise
            return make_tensor(call, Origin(stream, dtype, self._known_so_far()))

    def _changing(self, action: Action) -> Assignment:
        """`y.add_(1)` as an assignment to `y`, which gets a new version."""
        call = action.call
        subject = call.receiver or (call.arguments[0] if call.arguments else None)
        if isinstance(subject, syntax.Name):
            made = Assignment(subject.name, call, subject.span, call.span)
        else:
            made = Assignment("", call, call.span, call.span, has_target=False)
        return replace(made, is_recorded=action.is_recorded)

    def _prepare(self, root: Expression) -> None:
        """Make the tensors that an expression writes out, and note the names it uses."""
        for part in postorder(root):
            self.changes_in_place = self.changes_in_place or _is_change(part)
            if isinstance(part, syntax.Name):
                self._used.add(part.name)
            elif isinstance(part, syntax.FunctionName):
                function_value(part)
            elif isinstance(part, Call) and is_tensor(part) and part.function not in self._assigned:
                if is_random(part) and (self._loops or repeats(root, part)):
                    raise unsupported.random_in_loop(part)
                tensor = self._tensor(part)
                if tensor.requires_grad:
                    raise ProblemError(
                        "a tensor that requires grad needs a name that no other value has had",
                        part.span,
                        fix="write `w = torch.tensor(…, requires_grad=True)` on a line of its own",
                    )
                self.tensors[part] = tensor.value
            elif isinstance(part, Call):
                self._floats.convert(part)
                self._drawing.look_at(part)

    def _text(self, span: Span) -> str:
        return " ".join(self.source.text[span.start : span.stop].split())

    def _value_name(self, expression: Expression) -> str:
        """The versioned name of a value, which gets its text for a name where it has none."""
        if isinstance(expression, syntax.Name):
            return self._version(self._known(expression))
        span = expression.span
        self._prepare(expression)
        text = self._text(span)
        self.statements.append(Assignment(text, expression, span, span, has_target=False))
        self._bind(text)
        return self._version(text)

    # Loops

    def _loop(self, loop: Loop) -> None:
        """Read a loop's statements, once; how often each runs is known when it does."""
        if clears_each(loop) and not self._loops:
            self._clear_each(loop)
            return
        self._prepare(loop.iterable)
        names = {name.name for name in loop.names} | set(target_names(loop.target))
        self._looped |= names
        self._numbers.forget(names)
        around, self.statements = self.statements, []
        self._loops.append(loop)
        for name in target_names(loop.target):
            self._bind(name)
        for one in loop.body:
            self.read(one)
        self._loops.pop()
        around.append(replace(loop, body=tuple(self.statements)))
        self.statements = around
        self._numbers.forget(names)

    def _clear_each(self, loop: Loop) -> None:
        """`for p in params: p.grad = None`, one after the other."""
        items: tuple[Expression, ...] = syntax.children(loop.iterable)
        listed = self._lists.get(loop.iterable.name) if _is_name(loop.iterable) else None
        if listed is not None:
            span = loop.iterable.span
            items = tuple(syntax.Name(one.rpartition("@")[0], span) for one in listed)
        is_known = all(map(_is_name, items)) and listed in (None, self._versions(items))
        if not items or not is_known:
            raise ProblemError(
                "which values are in this list is not known here",
                loop.iterable.span,
                "a list of names, such as `for p in [w, b]:`",
            )
        for name in items:
            for one in loop.body:
                to_none = isinstance(one, Setting)
                self._clear(Attribute(name, "grad", one.span, one.span), one.span, to_none=to_none)

    def _append(self, statement: Action) -> None:
        receiver, values = statement.call.receiver, statement.call.arguments
        if not isinstance(receiver, syntax.Name) or len(values) != 1 or statement.call.keywords:
            raise ProblemError("`append` takes one value", statement.span, "`hs.append(h)`")
        self._prepare(values[0])
        self._used.add(receiver.name)
        self._lists.pop(receiver.name, None)
        self.statements.append(Append(receiver, values[0], statement.span, statement.is_recorded))

    # Actions

    def _act(self, call: Call) -> None:
        if call.receiver is None:
            self._act_on_library(call)
            return
        match call.function:
            case "backward":
                self._backward(call, call.receiver)
            case "retain_grad":
                self._retain_grad(call, call.receiver)
            case "requires_grad_":
                self._require_grad(call, call.receiver, only_flag(call), call)
            case "zero_" if grad_of(call.receiver):
                no_arguments(call)
                self._clear(call.receiver, call.span, to_none=False)
            case "manual_seed" if self._drawing.is_generator(call.receiver):
                self._drawing.seed(call)
            case _:
                raise unsupported.action(call, self._text(call.span))

    def _act_on_library(self, call: Call) -> None:
        if (name := default_dtype(call)) is not None:
            self._set_default(name)
            return
        if call.function == "set_detect_anomaly":
            return
        if call.function != "manual_seed":
            raise unsupported.action(call, self._text(call.span))
        self._drawing.seed(call)

    def _set_default(self, name: syntax.DtypeName) -> None:
        dtype: Dtype = "float64" if name.name == "float64" else "float32"
        if dtype == self._floats.default:
            return
        if self.inputs or self.statements:
            raise ProblemError(
                "the default dtype changes after a value has been made",
                name.span,
                fix="put this line at the top",
            )
        self._floats.default = dtype

    def _backward(self, call: Call, receiver: Expression) -> None:
        given = dict(call.keywords)
        for name, value in call.keywords:
            if name not in ("gradient", "retain_graph", "create_graph"):
                raise unsupported.keyword(name, value.span)
        if "create_graph" in given and flag(given["create_graph"]):
            raise unsupported.keyword("create_graph", given["create_graph"].span)
        retains = flag(given["retain_graph"]) if "retain_graph" in given else False
        gradient = given.get("gradient")
        if call.arguments:
            if gradient is not None or len(call.arguments) > 1:
                raise ProblemError(
                    "`backward` takes one gradient",
                    call.arguments[-1].span,
                    "`y.backward(gradient=…)`",
                )
            gradient = call.arguments[0]
        if isinstance(gradient, syntax.Literal) and gradient.value is None:
            gradient = None
        output = self._value_name(receiver)
        vector = "" if gradient is None else self._value_name(gradient)
        after = len(self.statements)
        self.passes.append(
            Backward(output, None, receiver.span, vector, True, after=after, retains=retains)
        )

    def _retain_grad(self, call: Call, receiver: Expression) -> None:
        no_arguments(call)
        if not isinstance(receiver, syntax.Name):
            raise ProblemError(
                "a value must have a name for its `.grad` to be read",
                Span(call.span.start, call.function_span.start - 1),
                fix="assign it on a line of its own, then call `retain_grad()` of the name",
            )
        name = self._known(receiver)
        if self._passes_before.get(name, 0) < len(self.passes):
            raise ProblemError(
                f"`{name}.retain_grad()` comes after a backward pass",
                call.span,
                fix=f"put it below the line that assigns `{name}`",
            )
        self.retained.append(Retain(self._version(name), call.span))

    def _require_grad(
        self, place: Call | Setting, receiver: Expression, flag: bool, call: Call
    ) -> None:
        """Let an input require grad, or not; what is computed is told so when it has been."""
        if not isinstance(receiver, syntax.Name):
            self._value_name(call)
            return
        name = self._known(receiver)
        if name not in self.inputs or self._assigned[name] > 1:
            self._value_name(call)
            self._leaves[self._version(name)] = None
            return
        if name in self._used:
            raise ProblemError(
                f"`{name}` has been used above",
                place.span,
                fix=f"put this line below the one that makes `{name}`",
            )
        before = self.inputs[name]
        if flag and not is_float(before.value):
            raise ProblemError(
                "only Tensors of floating point dtype can require gradients",
                place.span,
                fix=f"write the numbers of `{name}` with a point, such as `2.`",
            )
        self.inputs[name] = replace(before, requires_grad=flag)

    # Attributes

    def _set(self, statement: Setting) -> None:
        target, value = statement.target, statement.value
        if target.name == "grad":
            if not (isinstance(value, syntax.Literal) and value.value is None):
                raise ProblemError(
                    f"`{self._text(statement.span)}` cannot be assigned",
                    statement.span,
                    "`name = expression`",
                    "gradients come from `backward`; only `None` clears one",
                )
            self._clear(target, statement.span, to_none=True)
        elif target.name == "requires_grad":
            call = _calling("requires_grad_", target, value)
            self._require_grad(statement, target.receiver, flag(value), call)
        else:
            raise unsupported.setting(statement, self._text(statement.span))

    def _clear(self, target: Expression, span: Span, *, to_none: bool) -> None:
        receiver = grad_of(target)
        if receiver is None:
            raise ProblemError("only the `.grad` of a name can be cleared", span)
        name = self._known(receiver)
        if self._version(name) in self._leaves:
            name = self._version(name)
        retained = {one.name.rpartition("@")[0] for one in self.retained} | set(self._leaves)
        if name not in self.inputs and name not in retained:
            raise unsupported.grad_of_non_leaf(name, span)
        self.passes.append(ZeroGrad(span, name, to_none))


def _calling(function: str, target: syntax.Attribute, argument: Expression) -> Call:
    """`x.requires_grad_(True)` for `x.requires_grad = True`."""
    return Call(function, target.receiver, "", (argument,), (), target.name_span, target.span)


def _is_name(expression: Expression) -> TypeGuard[syntax.Name]:
    return isinstance(expression, syntax.Name)


def _is_change(part: Expression) -> bool:
    match part:
        case syntax.Binary(in_place=in_place):
            return in_place
        case Call():
            return changes_in_place(part)
        case _:
            return isinstance(part, syntax.Put)


def _changes_tensor(call: Call) -> bool:
    """Whether a statement of its own changes a tensor in place: `y.add_(1)`."""
    is_grad = call.receiver is not None and grad_of(call.receiver) is not None
    return changes_in_place(call) and not is_grad


def _appends(call: Call) -> bool:
    return call.receiver is not None and call.function == "append"
