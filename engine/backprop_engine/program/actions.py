"""What a program tells its gradients: `backward`, `retain_grad`, `requires_grad_`, `.grad = None`.

Each becomes a statement that runs in its place. No value depends on a gradient.
"""

from __future__ import annotations

from dataclasses import replace

from backprop_engine.basics.source import ProblemError, Span, no_float
from backprop_engine.basics.values import Dtype, is_float
from backprop_engine.grammar import syntax
from backprop_engine.grammar.syntax import Action, Assignment, Attribute, Call, Expression, Setting
from backprop_engine.program import unsupported
from backprop_engine.program.dtypes import default_dtype
from backprop_engine.program.scenario import Backward, Retain, ZeroGrad
from backprop_engine.program.so_far import SoFar
from backprop_engine.program.tensors import flag
from backprop_engine.program.torch_idioms import grad_of, no_arguments, only_flag


class Actions:
    """Reads the statements that compute nothing."""

    def __init__(self, so_far: SoFar) -> None:
        self._so_far = so_far
        self._keeping: set[str] = set()
        """Names of computed values whose `.grad` is kept."""
        self._detects_anomaly = False

    def read(self, statement: Action | Setting) -> None:
        """Take one in. Raises ProblemError for what cannot be done here."""
        if self._so_far.loops:
            raise unsupported.in_loop(statement, self._so_far.text(statement.span))
        if isinstance(statement, Setting):
            self._set(statement)
        elif statement.call.receiver is None:
            self._act_on_library(statement.call)
        else:
            self._act(statement.call, statement.call.receiver)

    def clear(self, target: Expression, span: Span, *, to_none: bool) -> None:
        """Take in `x.grad = None` or `x.grad.zero_()`."""
        receiver = grad_of(target)
        if receiver is None:
            raise ProblemError("only the `.grad` of a name can be cleared", span)
        name = self._so_far.known(receiver)
        if name not in self._so_far.inputs and name not in self._keeping:
            raise unsupported.grad_of_non_leaf(name, span)
        self._so_far.add_pass(ZeroGrad(span, name, to_none))

    def keep(self, name: str) -> None:
        """Note a computed value whose `.grad` is kept."""
        self._keeping.add(name)

    def _act(self, call: Call, receiver: Expression) -> None:
        match call.function:
            case "backward":
                self._backward(call, receiver)
            case "retain_grad":
                self._retain_grad(call, receiver)
            case "requires_grad_":
                self._require_grad(call.span, receiver, only_flag(call), call)
            case "zero_" if grad_of(receiver):
                no_arguments(call)
                self.clear(receiver, call.span, to_none=False)
            case "manual_seed" if self._so_far.drawing.is_generator(receiver):
                self._so_far.drawing.seed(call)
            case _ if grad_of(receiver):
                text = self._so_far.text(Span(call.span.start, call.function_span.stop))
                raise unsupported.change_of_grad(text, call.span)
            case _:
                raise unsupported.action(call, self._so_far.text(call.span))

    def _act_on_library(self, call: Call) -> None:
        if (name := default_dtype(call)) is not None:
            self._set_default(name)
        elif call.function == "manual_seed":
            self._so_far.drawing.seed(call)
        elif call.function == "set_detect_anomaly":
            self._detect_anomaly(call)
        else:
            raise unsupported.action(call, self._so_far.text(call.span))

    def _detect_anomaly(self, call: Call) -> None:
        given = dict(zip(("mode", "check_nan"), call.arguments, strict=False)) | dict(call.keywords)
        if "mode" not in given or given.keys() - {"mode", "check_nan"}:
            raise ProblemError("it takes a flag", call.span, "`set_detect_anomaly(True)`")
        self._detects_anomaly = all(flag(value, bool | None) for value in given.values())

    def _set_default(self, name: syntax.DtypeName) -> None:
        dtype: Dtype = "float64" if name.name == "float64" else "float32"
        if dtype == self._so_far.floats.default:
            return
        if self._so_far.inputs or self._so_far.statements:
            raise ProblemError(
                "the default dtype changes after a value has been made",
                name.span,
                fix="put this line at the top",
            )
        self._so_far.floats.default = dtype

    def _backward(self, call: Call, receiver: Expression) -> None:
        given = dict(call.keywords)
        for name, value in call.keywords:
            if name not in ("gradient", "retain_graph", "create_graph"):
                raise unsupported.keyword(name, value.span)
        if flag(given.get("create_graph"), bool | None):
            raise unsupported.keyword("create_graph", given["create_graph"].span)
        retains = flag(given.get("retain_graph"), bool | None)
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
        for part in (receiver, gradient):
            if isinstance(part, syntax.Name):
                self._so_far.known(part)
            elif part is not None:
                self._so_far.prepare(part)
        text = self._so_far.text(receiver.span)
        self._so_far.add_pass(
            Backward(text, None, receiver.span, receiver, gradient, retains, self._detects_anomaly)
        )

    def _retain_grad(self, call: Call, receiver: Expression) -> None:
        no_arguments(call)
        if not isinstance(receiver, syntax.Name):
            raise ProblemError(
                "a value must have a name for its `.grad` to be read",
                Span(call.span.start, call.function_span.start - 1),
                fix="assign it on a line of its own, then call `retain_grad()` of the name",
            )
        name = self._so_far.known(receiver)
        if self._so_far.bound[name] < self._so_far.last_pass:
            raise ProblemError(
                f"`{name}.retain_grad()` comes after a backward pass",
                call.span,
                fix=f"put it below the line that assigns `{name}`",
            )
        self._so_far.statements.append(Retain(name, call.span))
        self.keep(name)

    def _require_grad(self, place: Span, receiver: Expression, flag: bool, call: Call) -> None:
        """Let an input require grad, or not; what is computed is told so when it has been."""
        so_far = self._so_far
        name = so_far.known(receiver) if isinstance(receiver, syntax.Name) else ""
        if name not in so_far.inputs or name in so_far.computed:
            so_far.prepare(call)
            so_far.statements.append(Assignment("", call, call.span, call.span))
            if name:
                self.keep(name)
            return
        if name in so_far.used:
            raise ProblemError(
                f"`{name}` has been used above",
                place,
                fix=f"put this line below the one that makes `{name}`",
            )
        before = so_far.inputs[name]
        if flag and not is_float(before.value):
            raise no_float(place, f"write the numbers of `{name}` with a point, such as `2.`")
        so_far.inputs[name] = replace(before, requires_grad=flag)

    def _set(self, statement: Setting) -> None:
        target, value = statement.target, statement.value
        if target.name == "grad":
            if not (isinstance(value, syntax.Literal) and value.value is None):
                raise ProblemError(
                    f"`{self._so_far.text(statement.span)}` cannot be assigned",
                    statement.span,
                    "`name = expression`",
                    "gradients come from `backward`; only `None` clears one",
                )
            self.clear(target, statement.span, to_none=True)
        elif target.name == "requires_grad":
            call = _calling("requires_grad_", target, value)
            self._require_grad(statement.span, target.receiver, flag(value, bool | None), call)
        else:
            raise unsupported.setting(target, self._so_far.text(target.span))


def _calling(function: str, target: Attribute, argument: Expression) -> Call:
    """`x.requires_grad_(True)` for `x.requires_grad = True`."""
    return Call(function, target.receiver, "", (argument,), (), target.name_span, target.span)
