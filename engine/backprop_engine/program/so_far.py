"""What has been read of a program: its inputs, statements, names, and the tensors written out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from backprop_engine.basics.source import ProblemError, Source, Span, no_float
from backprop_engine.basics.suggestions import did_you_mean
from backprop_engine.basics.values import (
    Dtype,
    Shape,
    Value,
    as_floats,
    dtype_of,
    is_float,
    shape_of,
)
from backprop_engine.budget import Budget
from backprop_engine.grammar import syntax
from backprop_engine.grammar.syntax import Assignment, Call, Expression, Unpacking, postorder
from backprop_engine.program import unsupported
from backprop_engine.program.dtypes import Floats, FloatType
from backprop_engine.program.python_numbers import Known, NotWrittenError, answer, literal, question
from backprop_engine.program.resolving import changes_in_place, function_value
from backprop_engine.program.scenario import Backward, Input, Running, Scenario, ZeroGrad
from backprop_engine.program.tensors import Origin, Tensor, is_random, is_tensor, make_tensor
from backprop_engine.program.torch_idioms import Made, repeats
from backprop_engine.program.torch_random import Drawing
from backprop_engine.run.evaluate import Evaluation


class KnownNumbers:
    """Numbers by name, while the text is read from top to bottom."""

    def __init__(self) -> None:
        self._numbers: dict[str, Any] = {}
        self._shapes: dict[str, Shape] = {}

    def __call__(self, expression: Expression) -> Any:
        """What a name or the size of an input stands for; NotWrittenError where it is unknown."""
        if isinstance(expression, syntax.Name) and expression.name in self._numbers:
            return self._numbers[expression.name]
        asked = None if isinstance(expression, syntax.Name) else question(expression)
        if asked and isinstance(asked.receiver, syntax.Name):
            shape = self._shapes.get(asked.receiver.name)
            if shape is not None:
                return answer(asked, shape, self)
        raise NotWrittenError(expression.span)

    def add_input(self, input_: Input) -> None:
        """Take in an input, whose shape is known."""
        self._numbers.pop(input_.name, None)
        self._shapes[input_.name] = shape_of(input_.value)

    def forget(self, names: Iterable[str]) -> None:
        """Names that a loop assigns: what they stand for is known when it runs."""
        for name in names:
            self._numbers.pop(name, None)
            self._shapes.pop(name, None)

    def assign(self, statement: Assignment | Unpacking) -> None:
        """Take in what a statement assigns; what is computed is forgotten."""
        value = self._value(statement.expression)
        self.forget(name.name for name in statement.names)
        if value is None:
            return
        if isinstance(statement, Assignment):
            self._numbers[statement.name] = value
        elif isinstance(value, tuple) and len(value) == len(statement.targets):
            targets = (name.name for name in statement.targets)
            self._numbers |= dict(zip(targets, value, strict=True))

    def _value(self, expression: Expression) -> Any:
        try:
            return literal(expression, self)
        except ProblemError:  # it is computed, and no number to Python
            return None


class SoFar:
    """Grows with every statement."""

    def __init__(
        self, source: Source, inputs: Iterable[Input], floats: Floats, *, is_program: bool
    ) -> None:
        self.source = source
        self.floats = floats
        self.inputs = {given.name: given for given in inputs}
        self.statements: list[Running] = []
        """Those of the innermost loop, while one is read."""
        self.loops = 0
        """How many are being read, one in the other."""
        self.numbers = KnownNumbers()
        self.drawing = Drawing(self.numbers, as_torch=floats.as_torch)
        self.time = 0
        """How many names have been given a meaning, and passes called."""
        self.bound = dict.fromkeys(self.inputs, 0)
        """The names there are, with the time from which each means what it does."""
        self.last_pass = 0
        self.computed: set[str] = set()
        """Those that mean something else than an input."""
        self.used: set[str] = set()
        self._is_program = is_program
        self._tensors: dict[Expression, Value] = {}
        self._changes_in_place = False
        self._budget = Budget()
        for given in self.inputs.values():
            self.numbers.add_input(given)

    def scenario(self) -> Scenario:
        """All of it. Passes are those that it calls, or else one from the last name assigned."""
        scenario = Scenario(
            self.source,
            tuple(self.inputs.values()),
            tuple(self.statements),
            (),
            self.floats.dtype,
            self.floats.default,
            tensors=self._tensors,
            is_program=self._is_program,
            changes_in_place=self._changes_in_place,
            note=self.drawing.note,
        )
        passes: tuple[Backward | ZeroGrad, ...] = scenario.called
        names = [name for statement in self.statements for name in statement.names]
        if not passes and names:
            passes = (Backward(names[-1].name, None, names[-1].span),)
        return replace(scenario, passes=passes)

    def text(self, span: Span) -> str:
        """What is written there, in one line."""
        return " ".join(self.source.text[span.start : span.stop].split())

    # Names

    def bind(self, name: str) -> None:
        """Take in a name that from here on means what is computed."""
        self.computed.add(name)
        self.time += 1
        self.bound[name] = self.time

    def add_pass(self, pass_: Backward | ZeroGrad) -> None:
        """Take in a pass that the program calls."""
        self.statements.append(pass_)
        self.time += 1
        self.last_pass = self.time

    def known(self, name: syntax.Name) -> str:
        """The name itself; ProblemError where nothing is called so."""
        if name.name not in self.bound:
            raise ProblemError(
                f"unknown name `{name.name}`",
                name.span,
                fix=did_you_mean(name.name, self.bound),
            )
        return name.name

    # Tensors that are written out

    def add_input(self, name: syntax.Name, made: Made) -> None:
        """Take in a name whose tensor is written out, and so is an input."""
        tensor = self._tensor(made.call, made.converted)
        requires_grad = tensor.requires_grad or made.asks_for_grad
        if requires_grad and not is_float(tensor.value):
            raise no_float(made.call.span)
        given = Input(name.name, tensor.value, requires_grad, name.span)
        self.inputs[name.name] = given
        self.numbers.add_input(given)
        self.bind(name.name)
        self.computed.discard(name.name)

    def prepare(self, root: Expression) -> None:
        """Make the tensors that an expression writes out, and note the names it uses."""
        for part in postorder(root):
            self._changes_in_place = self._changes_in_place or _is_change(part)
            if isinstance(part, syntax.Name):
                self.used.add(part.name)
            elif isinstance(part, syntax.FunctionName):
                function_value(part)
            elif isinstance(part, Call) and is_tensor(part) and part.function not in self.bound:
                self._add_constant(root, part)
            elif isinstance(part, Call):
                self.floats.convert(part)
                self.drawing.look_at(part)

    def _add_constant(self, root: Expression, call: Call) -> None:
        if is_random(call) and (self.loops or repeats(root, call)):
            raise unsupported.random_in_loop(call)
        tensor = self._tensor(call)
        if tensor.requires_grad:
            raise ProblemError(
                "a tensor that requires grad needs a name that no other value has had",
                call.span,
                fix="write `w = torch.tensor(…, requires_grad=True)` on a line of its own",
            )
        self._tensors[call] = tensor.value

    def _tensor(self, call: Call, converted: FloatType | None = None) -> Tensor:
        made = self.floats.of_tensor(call)
        tensor = self._made(call, made.dtype)
        if converted is not None:
            made = converted
            dtype = made.dtype if self.floats.as_torch else self.floats.dtype
            tensor = replace(tensor, value=as_floats(tensor.value, dtype))
        if is_float(tensor.value):
            self.floats.take(made)
        if is_random(call):
            self.drawing.drawn(call, dtype_of(tensor.value))
        self._budget.take_at(call.span, tensor.value)
        return tensor

    def _made(self, call: Call, dtype: Dtype) -> Tensor:
        """The tensor that a call writes out, of sizes that may be those of computed values."""
        stream = self.drawing.stream(call)
        try:
            return make_tensor(call, Origin(stream, dtype, self.numbers))
        except NotWrittenError:
            if self.loops:
                raise
            return make_tensor(call, Origin(stream, dtype, self._known_when_run()))

    def _known_when_run(self) -> Known:
        """What names and sizes stand for once all that has been read so far has run."""
        with np.errstate(all="ignore"):  # inf and nan are values here, as in the run itself
            return Evaluation(replace(self.scenario(), passes=())).known


def _is_change(part: Expression) -> bool:
    match part:
        case syntax.Binary(in_place=in_place):
            return in_place
        case Call():
            return changes_in_place(part)
        case _:
            return isinstance(part, syntax.Put)
