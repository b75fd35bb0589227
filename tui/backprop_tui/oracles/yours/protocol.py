"""What goes to the process that runs a learner's file, and what of its replies is an answer.

The request about a program is the one that torch gets, and how each operation is spelt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.values import Value, in_full, kept
from backprop_engine.catalogue import OPERATIONS
from backprop_engine.operation import Operation
from backprop_engine.run.tape import graph_of
from backprop_engine.trace import Trace
from backprop_tui.oracles.messages import Message
from backprop_tui.oracles.torch.columns import Gathering
from backprop_tui.oracles.torch.protocol import encode_request
from backprop_tui.oracles.yours.file import File
from backprop_tui.oracles.yours.own_upstream import last_pass


@dataclass(frozen=True, slots=True)
class Contents:
    """What stands in the file."""

    kind: str
    engine: str
    files: tuple[str, ...]
    """Where the engine stands: the file, or one that it imports the engine from; and those that
    this imports."""
    holds_arrays: bool
    layers: Mapping[str, tuple[str, ...]]
    """The parameters of each."""
    unlimited: tuple[str, ...]
    """The limits that the system does not have."""
    left_out: tuple[str, ...]
    """The lines at top level that failed and were left out."""


@dataclass(frozen=True, slots=True)
class Unusable:
    """Why nothing of the file can be judged; `is_lacking`, by this program alone."""

    message: str
    line: int | None
    is_lacking: bool = False
    missing: str = ""
    """The function that an engine does not have."""


@dataclass(frozen=True, eq=False, slots=True)
class Made:
    """A value of the learner's; operands are values by number, or numbers."""

    node: int | None
    operation: str
    operands: tuple[tuple[int | None, Value | None], ...]
    value: Value
    line: int | None
    from_line: int | None
    rule_line: int | None
    """Where a function of its own for its turn begins."""
    holds: frozenset[int]
    """The values that it can be asked for."""


@dataclass(frozen=True, eq=False, slots=True)
class Event:
    """A change of the gradient of `to`, or the turn of `sender` where `to` is None."""

    sender: int | None
    to: int | None
    upstream: Value | None
    before: Any
    """A value, or None."""
    after: Any
    line: int | None
    set_at: int | None = None
    """The line in which the gradient became another one."""
    adds: bool = False
    """Whether the line is a `+=`."""

    @property
    def gained(self) -> Any:
        """By what the gradient has grown; all that it is now, where it was nothing before."""
        before, after = self.before, self.after
        if before is None or np.shape(before) != np.shape(after):
            return after
        return np.asarray(after) - before if np.ndim(after) else after - before


@dataclass(frozen=True, eq=False, slots=True)
class LearnersPass:
    """What a learner's `backward` did."""

    index: int
    start: tuple[Value | None, ...]
    end: tuple[Value | None, ...]
    events: tuple[Event, ...]
    raised: str
    at_work: int | None
    line: int | None
    """Where it raised."""
    backward: int | None
    """The first line of `backward`."""
    loop: int | None
    entered: int | None


@dataclass(frozen=True, eq=False, slots=True)
class LearnersRun:
    """A program on a learner's engine."""

    made: tuple[Made, ...]
    passes: tuple[LearnersPass, ...]
    notes: tuple[str, ...]
    is_single: bool
    broken: tuple[int, str, int | None] | None = None
    """The node whose operation raised, what, and in which line."""


@dataclass(frozen=True, eq=False, slots=True)
class Answers:
    """What a file says of a scenario's names; the lines; and where it stopped, if it did."""

    values: Mapping[str, Value]
    lines: Mapping[str, int | None]
    stopped: Unusable | None
    changed: tuple[str, ...]
    """The names whose arrays it has changed."""


@dataclass(frozen=True, eq=False, slots=True)
class LayerRun:
    """What a pair of functions, or a loss, has made of its arguments."""

    raised: str
    line: int | None
    forward_line: int | None
    value: Value | None = None
    gradients: tuple[Value | None, ...] = ()
    lines: tuple[int | None, ...] = ()
    differences: tuple[Value | None, ...] = ()
    has_changed_dout: bool = False


def about_file(file: File) -> dict[str, Any]:
    """The part of every question that says what is asked about."""
    return {"file": file.path, "name": file.name}


def program_question(trace: Trace, file: File) -> dict[str, Any]:
    """The question what an engine makes of a program."""
    graph = graph_of(trace)
    spelt = {operation.name: _spelling(operation) for operation in graph.operations}
    common = ("neg", "add", "mul", "pow", "sub", "div", "exp", "log", "tanh", "sigmoid", "relu")
    others = {name: _spelling(OPERATIONS[name]) for name in (*common, "matmul", "sqrt")}
    sent = [kept(each) for each in trace.contributions]
    told = [*graph.value, *(each for each in sent if each is not None)]
    is_finite = all(bool(np.all(np.isfinite(value))) for value in told)
    return {
        **encode_request(trace),
        **about_file(file),
        "ask": "program",
        "spellings": {**others, **spelt},
        "finite": is_finite,
        "arrays": any(
            isinstance(value, np.ndarray) and requires_grad
            for value, requires_grad in zip(graph.value, graph.requires_grad, strict=True)
        ),
    }


def _spelling(operation: Operation) -> dict[str, Any]:
    spelling = operation.spelling
    functions = [name for name in spelling.functions if "." not in name]
    return {
        "symbol": spelling.symbol,
        "functions": functions,
        "properties": list(spelling.properties),
    }


def unusable_of(reply: Message) -> Unusable | None:
    """Why there is no answer, if the reply says so."""
    for key in ("unusable", "lacking"):
        if key in reply:
            missing = _text(reply.get("missing", ""))
            return Unusable(_text(reply[key]), _line(reply["line"]), key == "lacking", missing)
    return None


def contents_of(reply: Message) -> Contents | Unusable:
    """What stands in the file. One of NO_MESSAGE if the reply is no answer."""
    return unusable_of(reply) or Contents(
        _text(reply["kind"]),
        _text(reply.get("engine", "")),
        tuple(map(_text, reply.get("files", ()))),
        bool(reply.get("arrays", False)),
        {
            _text(layer): tuple(map(_text, reply["parameters"].get(layer, ())))
            for layer in reply.get("layers", ())
        },
        tuple(map(_text, reply["unlimited"])),
        tuple(map(_text, reply.get("left_out", ()))),
    )


def run_of(trace: Trace, reply: Message) -> LearnersRun | Unusable:
    """How a program ran. One of NO_MESSAGE if the reply is no answer."""
    unusable = unusable_of(reply)
    if unusable is not None:
        return unusable
    if "broken" in reply:
        node = _number(reply["node"], len(trace.nodes))
        broken = (node, _text(reply["broken"]), _line(reply["line"]))
        return LearnersRun((), (), (), is_single=False, broken=broken)
    count = len(reply["made"])
    made = tuple(_made(told, count, len(trace.nodes)) for told in reply["made"])
    return LearnersRun(
        made,
        tuple(_pass(told, count, len(trace.passes)) for told in reply["passes"]),
        tuple(map(_text, reply["notes"])),
        is_single=bool(reply["is_single"]),
    )


def _made(told: Mapping[str, Any], count: int, nodes: int) -> Made:
    node, value = told["node"], value_of(told["value"])
    if value is None or (told["operation"] and told["operation"] not in OPERATIONS):
        raise ValueError("a value without a number, or by an operation that is none")
    return Made(
        None if node is None else _number(node, nodes),
        _text(told["operation"]),
        tuple(_operand(operand, count) for operand in told["operands"]),
        value,
        _line(told["line"]),
        _line(told["from_line"]),
        _line(told["rule_line"]),
        frozenset(_number(each, count) for each in told["holds"]),
    )


def _operand(told: Sequence[Any], count: int) -> tuple[int | None, Value | None]:
    number, value = told
    if number is None:
        return None, value_of(value)
    return _number(number, count), None


def _pass(told: Mapping[str, Any], count: int, passes: int) -> LearnersPass:
    start, end = (tuple(map(value_of, told[key])) for key in ("start", "end"))
    if not len(start) == len(end) == count:
        raise ValueError("gradients are missing")
    at_work = told.get("at_work")
    return LearnersPass(
        _number(told["index"], passes),
        start,
        end,
        tuple(_event(event, count) for event in told["events"]),
        _text(told.get("raised", "")),
        None if at_work is None else _number(at_work, count),
        *(_line(told.get(key)) for key in ("line", "backward", "loop", "entered")),
    )


def _event(told: Mapping[str, Any], count: int) -> Event:
    sender, to = told["sender"], told["to"]
    return Event(
        sender=None if sender is None else _number(sender, count),
        to=None if to is None else _number(to, count),
        upstream=value_of(told["upstream"]),
        before=value_of(told["before"]),
        after=value_of(told["after"]),
        line=_line(told["line"]),
        set_at=_line(told["set_at"]),
        adds=bool(told["adds"]),
    )


def answers_question(trace: Trace, names: Sequence[str]) -> dict[str, Any]:
    """The question for a file's `dNAME` for each of a scenario's names."""
    values = Gathering()
    for at, name in enumerate(names):
        values.add(at, in_full(trace.nodes.value[trace.named(name) or 0]))
    output = last_pass(trace)
    seed = kept(trace.contributions[output.start])
    start = {f"d{trace.label(output.output or 0)}": seed}
    return {
        "ask": "answers",
        "names": list(names),
        "values": values.entries().encoded(),
        "start": start,
    }


def answers_of(reply: Message) -> Answers | Unusable:
    """A file's answers. One of NO_MESSAGE if the reply is none."""
    unusable = unusable_of(reply)
    if unusable is not None:
        return unusable
    stopped = reply["stopped"]
    values = {_text(name): value_of(told) for name, told in reply["answers"].items()}
    return Answers(
        {name: value for name, value in values.items() if value is not None},
        {_text(name): _line(line) for name, line in reply["lines"].items()},
        None if stopped is None else Unusable(_text(stopped[0]), _line(stopped[1])),
        tuple(map(_text, reply["changed"])),
    )


def layer_question(
    layer: str, arguments: Sequence[Value], dout: Value | None, *, numeric: bool
) -> dict[str, Any]:
    """The question what a layer makes of arguments; with `numeric`, its slopes as well."""
    about = {"layer": layer, "arguments": list(arguments), "dout": dout, "numeric": numeric}
    return {"ask": "layer", **about}


def layer_of(reply: Message) -> LayerRun | Unusable:
    """What a layer has made. One of NO_MESSAGE if the reply is no answer."""
    unusable = unusable_of(reply)
    if unusable is not None:
        return unusable
    forward_line = _line(reply["forward_line"])
    if "raised" in reply:
        return LayerRun(_text(reply["raised"]), _line(reply["line"]), forward_line)
    return LayerRun(
        "",
        _line(reply["line"]),
        forward_line,
        value_of(reply["value"]),
        tuple(map(value_of, reply["gradients"])),
        tuple(map(_line, reply["lines"])),
        tuple(map(value_of, reply.get("differences", ()))),
        bool(reply["changed"]),
    )


def value_of(told: Any) -> Value | None:
    """A number, an array of floats, or None; ValueError for anything else."""
    if told is None or type(told) is float:
        return told
    if isinstance(told, np.ndarray) and told.dtype == np.float64 and told.ndim:
        return told
    raise ValueError("that is no number and no array of float64")


def _number(told: Any, count: int) -> int:
    if type(told) is not int or not 0 <= told < count:
        raise ValueError("that is no number of a value")
    return told


def _text(told: Any) -> str:
    if not isinstance(told, str):
        raise TypeError("that is no text")
    return told[:1000]


def _line(told: Any) -> int | None:
    if told is not None and type(told) is not int:
        raise TypeError("that is no line")
    return told
