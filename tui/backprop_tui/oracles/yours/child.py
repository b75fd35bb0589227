"""The process that runs a learner's file, and says what came of it.

Standard library and numpy alone: neither the engine nor torch, so that it starts fast. What the
learner's file prints goes to standard error, what it reads is empty, and what it raises is told.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from types import CodeType
from typing import Any

import numpy as np

from backprop_tui.oracles.serving import Parent, run
from backprop_tui.oracles.torch.columns import Column, Entries
from backprop_tui.oracles.yours import lines
from backprop_tui.oracles.yours.building import BrokenError, Builder, LackingError, Made
from backprop_tui.oracles.yours.functions import Functions, OtherLayerError
from backprop_tui.oracles.yours.learner import ENGINE, Learner, LearnerError, told
from backprop_tui.oracles.yours.limits import limit
from backprop_tui.oracles.yours.objects import (
    GRAD,
    StrangeError,
    attributes_of,
    gradient_of,
    name_of,
    operands_of,
    plain,
)
from backprop_tui.oracles.yours.watching import Event, Watch

_DEEP = 10_000
"""Calls inside one another: more than a chain of the bundled scenarios needs."""


class Judged:
    """The learner's file in this process."""

    def __init__(self) -> None:
        self._learner: Learner | None = None
        self._missing: list[str] | None = None

    def answer(self, question: Mapping[str, Any]) -> dict[str, Any]:
        """The reply to a question; what the file does wrong is a reply as well."""
        if self._missing is None:
            self._missing = limit()
            sys.setrecursionlimit(_DEEP)
        ask: Callable[[Mapping[str, Any]], dict[str, Any]] = getattr(self, f"_{question['ask']}")
        try:
            return ask(question)
        except LearnerError as error:
            return {"unusable": str(error), "line": error.line}
        except LackingError as error:
            return {"lacking": str(error), "line": error.line, "missing": error.missing}
        except StrangeError as error:
            return {"lacking": str(error), "line": None, "missing": str(error)}

    def _look(self, question: Mapping[str, Any]) -> dict[str, Any]:
        """What stands in the file. An engine's file is run for that."""
        self._learner = learner = Learner(question["file"])
        name, reply = question["name"], {"unlimited": self._missing}
        kind = learner.kind(name, question["names"])
        if kind != ENGINE:
            layers = [layer for layer in learner.layers() if layer in (name or layer)]
            return {**reply, "kind": kind, "layers": layers, "parameters": learner.parameters()}
        learner.run_by_itself()
        cls = learner.engine(name)
        learner.turn_to(cls)
        builder = Builder(learner, cls, {"spellings": {}})
        return {
            **reply,
            "kind": kind,
            "engine": cls.__name__,
            "files": learner.files,
            "left_out": [f"line {at} ({told(error)})" for at, error in learner.left_out.items()],
            "arrays": builder.holds_arrays,
        }

    def _program(self, question: Mapping[str, Any]) -> dict[str, Any]:
        """A program on the learner's engine."""
        learner = self._ran()
        builder = Builder(learner, learner.engine(question["name"]), question)
        if question["arrays"] and not builder.holds_arrays:
            raise LackingError(f"{builder.cls.__name__} is made for numbers, and here are arrays")
        try:
            builder.run()
        except BrokenError as error:
            return {"broken": str(error), "node": error.node, "line": error.line}
        made = list(builder.made.values())
        numbers = {id(each.value): at for at, each in enumerate(made)}
        told_made = [
            {
                "node": each.node,
                "operation": each.operation,
                "operands": [
                    [numbers[id(operand)], None]
                    if id(operand) in numbers
                    else [None, plain(operand)]
                    for operand in each.operands
                ],
                "value": plain(each.value),
                "line": lines.of_value(learner.tree, each.line),
                "from_line": each.from_line,
                "rule_line": _rule_line(each),
                "holds": [
                    numbers[id(operand)]
                    for operand in operands_of(each.value, builder.cls, functions=False)
                    if id(operand) in numbers
                ],
            }
            for each in made
        ]
        passes = [self._pass(builder, pass_) for pass_ in question["passes"]]
        return {
            "made": told_made,
            "passes": passes,
            "notes": list(dict.fromkeys(builder.unlike)),
            "is_single": builder.is_single,
        }

    def _pass(self, builder: Builder, pass_: Mapping[str, Any]) -> dict[str, Any]:
        made = list(builder.made.values())
        start = [gradient_of(each.value) for each in made]
        reply: dict[str, Any] = {"index": pass_["index"], "start": start, "events": []}
        if "output" in pass_:
            output = builder.results[pass_["output"]]
            backward, entry = self._backward(builder, output, pass_["seed"])
            watch = Watch(self._ran(), made, entry)
            try:
                watch.run(backward)
            except RecursionError as error:
                line = self._ran().line_of(error)
                raise LearnerError("`backward` calls itself too often", line) from None
            except (ArithmeticError, ValueError) as error:
                if builder.request["finite"]:
                    self._tell_raised(reply, watch, error)
                else:
                    line = self._ran().line_of(error)
                    message = f"Python refuses what is inf or nan to others ({told(error)})"
                    raise LackingError(message, line) from None
            except BaseException as error:  # noqa: BLE001 - whatever the learner's code raises
                self._tell_raised(reply, watch, error)
            self._tell_events(reply, watch.events, entry)
        for node in (*pass_.get("cleared", ()), *pass_.get("zeroed", ())):
            self._clear(builder, node)
        return {**reply, "end": [gradient_of(each.value) for each in made]}

    def _tell_raised(self, reply: dict[str, Any], watch: Watch, error: BaseException) -> None:
        """What the learner's code has raised. Raises it again where it is ours."""
        learner = self._ran()
        if learner.is_ours(error):
            raise error
        if not watch.events and lines.is_refusal(learner.tree, learner.line_of(error)):
            raise LackingError(
                f"`backward` does not start there ({told(error)})", None, told(error)
            )
        reply |= {"raised": told(error), "at_work": watch.raised_at}
        reply["line"] = learner.line_of(error)

    def _tell_events(
        self, reply: dict[str, Any], events: list[Event], entry: CodeType | None
    ) -> None:
        first = None if entry is None else entry.co_firstlineno
        turns = [
            event.called_at
            for event in events
            if event.called_at is not None and event.sender is not None
        ]
        tree = self._ran().tree
        reply["events"] = [
            {**vars(event), "adds": lines.is_addition(tree, event.set_at)} for event in events
        ]
        reply["backward"] = first
        reply |= lines.of_order(tree, turns[0] if turns else reply.get("line") or first)

    def _backward(
        self, builder: Builder, output: Any, seed: Any
    ) -> tuple[Callable[[], Any], CodeType | None]:
        """What starts the backward pass, with the seed if that is not one."""
        if not builder.is_ours(output):
            raise LackingError("what the program starts backward from is a number")
        backward = output.backward
        code = getattr(getattr(backward, "__func__", None), "__code__", None)
        if np.all(np.asarray(seed) == 1.0):
            if np.ndim(plain(output)) == 0 or code is None or code.co_argcount < 2:
                return backward, code
            return (lambda: backward(np.asarray(seed))), code
        if code is None or code.co_argcount < 2:
            raise LackingError(
                "its `backward` takes no gradient, and this scenario gives one", None
            )
        return (lambda: backward(seed)), code

    def _clear(self, builder: Builder, node: int) -> None:
        """As `zero_grad` of the class does, or by the gradient that a new value has."""
        value = builder.results[node]
        if not builder.is_ours(value):
            return
        clear = getattr(value, "zero_grad", None)
        if callable(clear):
            clear()
            return
        name = name_of(value, GRAD)
        fresh = builder.fresh(plain(value))
        if name is not None:
            setattr(value, name, getattr(fresh, name))

    def _answers(self, question: Mapping[str, Any]) -> dict[str, Any]:
        """What a file makes of the values of a scenario: `dNAME` for each of its names."""
        learner = Learner(question["file"])
        values = Column(Entries.decoded(question["values"]))
        names: list[str] = question["names"]
        given = {name: _copy(values[at]) for at, name in enumerate(names)}
        before = {name: np.array(value) for name, value in given.items()}
        stopped: LearnerError | None = None
        try:
            learner.run({**question["start"], **given})
        except LearnerError as error:
            stopped = error
        found = learner.answers(names)
        answers = {
            name: plain(learner.names[f"d{name}"]) for name in found if f"d{name}" in learner.names
        }
        changed = [name for name in names if not np.array_equal(before[name], given[name])]
        return {
            "answers": answers,
            "lines": {name: found[name] for name in answers},
            "stopped": None if stopped is None else [str(stopped), stopped.line],
            "changed": changed,
        }

    def _layer(self, question: Mapping[str, Any]) -> dict[str, Any]:
        """What a pair of functions, or a loss, makes of given arguments."""
        learner, name, dout = self._ran(), question["layer"], question["dout"]
        forward = name if dout is None else f"{name}_forward"
        backward = name if dout is None else f"{name}_backward"
        functions = Functions(learner.names[forward], learner.names[backward], dout)
        arguments = [_copy(each) for each in question["arguments"]]
        reply: dict[str, Any] = {"forward_line": lines.of_result(learner.tree, forward, 0)}
        try:
            value, gradients = functions.run(arguments)
            if question["numeric"]:
                reply["differences"] = functions.differences(question["arguments"])
        except OtherLayerError as error:
            return {"lacking": str(error), "line": None}
        except BaseException as error:  # noqa: BLE001 - whatever the learner's code raises
            return {**reply, "raised": told(error), "line": learner.line_of(error)}
        first = 1 if dout is None else 0
        places = [
            lines.of_result(learner.tree, backward, first + at) for at in range(len(gradients))
        ]
        reply |= {"value": value, "gradients": gradients, "lines": places}
        reply["line"] = lines.of_result(learner.tree, backward, len(gradients))
        return {**reply, "changed": functions.has_changed_dout}

    def _ran(self) -> Learner:
        if self._learner is None:
            raise LearnerError("it has not been read")
        if not self._learner.names:
            self._learner.run({})
        return self._learner


def _rule_line(made: Made) -> int | None:
    """Where the function of a value's own for its turn begins, if what made it defines that."""
    if made.code is None:
        return None
    for _, thing in attributes_of(made.value):
        code = getattr(thing, "__code__", None)
        if code is not None and code in made.code.co_consts:
            return int(code.co_firstlineno)
    return None


def _copy(value: Any) -> Any:
    return value.copy() if isinstance(value, np.ndarray) else value


def main() -> None:
    """Serve on standard input and output."""
    run(Judged().answer, Parent())


if __name__ == "__main__":
    main()
