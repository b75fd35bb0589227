"""What an exported file tells: the nodes, passes and steps of a trace, or of a stretch of it."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePath

from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.source import SHORTHAND_NAME, STANDARD_INPUT, Source
from backprop_engine.basics.values import Known, in_full, shape_of
from backprop_engine.reading.array_rule import ArrayRule, array_rule
from backprop_engine.reading.explain import Explanation, explain, expression
from backprop_engine.reading.local_derivatives import has_array, local_derivative
from backprop_engine.reading.timeline_words import (
    accumulation,
    closing,
    earlier_senders,
    grads_after,
    pass_title,
)
from backprop_engine.trace import NO_NODE, Pass, Step, StepKind, Trace
from backprop_tui.export.quiz import Examiner, LessonQuestion


@dataclass(frozen=True, slots=True)
class Mark:
    """The text that made a node: `files[file]` from character `start` up to `stop`."""

    file: int
    start: int
    stop: int
    line: int
    """From 1."""


@dataclass(frozen=True, slots=True)
class LessonNode:
    """A value. Operands are numbers of the lesson's nodes."""

    id: int
    """The trace's number of it."""
    label: str
    expression: str
    """How it is made, `3·x`; of a leaf its digits."""
    operation: str
    """Empty for a leaf."""
    operands: tuple[int, ...]
    value: Known
    dtype: str
    requires_grad: bool
    is_named: bool
    elsewhere: tuple[float, ...]
    """Of a number in a quiz its value here and at the points near by; else empty."""
    grad_fn: str
    hint: str
    mark: Mark | None
    is_there: bool
    """Whether it is computed before the lesson's first step; leaves are."""
    gradient: Known | None
    """What it has received before the lesson's first step."""
    left: int
    """How many contributions were then to come to it; 0 where it has no gradient."""


@dataclass(frozen=True, slots=True)
class LessonPass:
    """A pass, or what of it lies in the lesson. Nodes are numbers of the lesson's nodes."""

    index: int
    """Its number in the trace."""
    kind: str
    name: str
    title: str
    """For people: `backward from y`."""
    start: int
    stop: int
    iteration: int
    """Of the optimiser, or of the backward passes; from 1."""
    output: int | None
    output_label: str
    grads: tuple[tuple[int | None, str, Known | None], ...]
    """`.grad` after it: the node where that is in the lesson, its name, and what it holds."""


@dataclass(frozen=True, slots=True)
class LessonStep:
    """A step. Nodes are numbers of the lesson's nodes."""

    step: Step
    told: Explanation
    node: int | None
    receiver: int | None
    upstream: Known | None = None
    local: Known | None = None
    """∂node/∂operand; None where elements mix."""
    contribution: Known | None = None
    before: Known | None = None
    """The running sum before the step."""
    total_after: Known | None = None
    received: int = 0
    """How many contributions the receiver then has, in this pass."""
    left: int = 0
    """And how many are still to come to it."""
    earlier: str = ""
    """Who has sent to the receiver before."""
    rule: ArrayRule | None = None
    """The step as an equation between arrays; None where it is one of numbers."""
    question: LessonQuestion | None = None


@dataclass(frozen=True, slots=True)
class Lesson:
    """The steps `first` up to, not including, `last`, and the nodes that take part in them."""

    title: str
    about: str
    """Markdown."""
    note: str
    name: str
    dtype: str
    computed_by: str
    closing: str
    count: int
    """Steps of the whole trace."""
    start: int
    """The cursor to begin at."""
    first: int
    last: int
    files: tuple[Source, ...]
    is_quiz: bool
    nodes: tuple[LessonNode, ...]
    passes: tuple[LessonPass, ...]
    steps: tuple[LessonStep, ...]


def lesson_of(
    trace: Trace, first: int = 0, last: int | None = None, *, quiz: bool = False
) -> Lesson:
    """What there is to tell of the steps `first` up to `last` of `trace`, and what to ask if it is
    a `quiz`; MissingError where nothing can be asked.
    """
    teller = _Teller(trace, first, len(trace) if last is None else last)
    teller.examiner = Examiner(trace) if quiz else None
    return teller.lesson()


def without_folders(name: str, files: Sequence[Source]) -> str:
    """A file's name alone: where it lies is nobody's business. A text without a file stays."""
    is_text = any(file.name in (SHORTHAND_NAME, STANDARD_INPUT) for file in files)
    return name if is_text else PurePath(name).name


class _Teller:
    def __init__(self, trace: Trace, first: int, last: int) -> None:
        self.trace, self.first, self.last = trace, first, last
        self.files = trace.heading.files
        self.examiner: Examiner | None = None
        self.kept = self._taking_part()
        self.index = {node: at for at, node in enumerate(self.kept)}

    def lesson(self) -> Lesson:
        heading, trace = self.trace.heading, self.trace
        name = without_folders(heading.name, heading.files)
        return Lesson(
            title=" ".join(heading.title.split()) or name,
            about=heading.about,
            note=heading.note,
            name=name,
            dtype=heading.dtype,
            computed_by=heading.computed_by,
            closing=closing(trace),
            count=len(trace),
            start=heading.start,
            first=self.first,
            last=self.last,
            files=tuple(
                replace(file, name=without_folders(file.name, ())) for file in self.files
            ),
            is_quiz=self.examiner is not None,
            nodes=tuple(map(self._node, self.kept)),
            passes=tuple(
                self._pass(pass_) for pass_ in trace.passes
                if pass_.start < self.last and self.first < pass_.stop
            ),
            steps=tuple(map(self._step, range(self.first, self.last))),
        )  # fmt: skip

    def _taking_part(self) -> list[int]:
        trace = self.trace
        if (self.first, self.last) == (0, len(trace)):
            return list(range(len(trace.nodes)))
        here = slice(self.first, self.last)
        senders = {*trace.senders[here].tolist()} - {NO_NODE}
        operands = {operand for node in senders for operand in trace.nodes.operands[node]}
        return sorted(senders | operands | ({*trace.receivers[here].tolist()} - {NO_NODE}))

    def _node(self, node: int) -> LessonNode:
        trace, nodes, at = self.trace, self.trace.nodes, self.first
        is_leaf = trace.ends_gradients(node) and nodes.requires_grad[node]
        progress = trace.progress(node, at)
        gradient = trace.gradient(node, at)
        return LessonNode(
            id=node,
            label=trace.label(node),
            expression=expression(trace, node),
            operation=nodes.operation_name(node),
            operands=tuple(self.index[each] for each in nodes.operands[node] if each in self.index),
            value=nodes.value[node],
            dtype=nodes.dtype_of(node),
            requires_grad=bool(nodes.requires_grad[node]),
            is_named=node in nodes.names,
            elsewhere=self._elsewhere(node),
            grad_fn="leaf" if is_leaf else nodes.grad_fn(node),
            hint=" ".join(trace.heading.hints.get(node, "").split()),
            mark=self._mark(node),
            is_there=trace.is_computed(node, at),
            gradient=gradient,
            left=0 if gradient is None else progress.expected - progress.received,
        )

    def _elsewhere(self, node: int) -> tuple[float, ...]:
        traces = () if self.examiner is None else self.examiner.traces
        values = [trace.nodes.value[node] for trace in traces]
        return tuple(float(in_full(value)) for value in values if not shape_of(value))

    def _mark(self, node: int) -> Mark | None:
        place = self.trace.nodes.place(node)
        if place is None or place.source not in self.files:
            return None
        file = self.files.index(place.source)
        return Mark(file, place.span.start, place.span.stop, place.position.line)

    def _pass(self, pass_: Pass) -> LessonPass:
        return LessonPass(
            index=pass_.index,
            kind=str(pass_.kind),
            name=pass_.name,
            title=pass_title(self.trace, pass_),
            start=max(pass_.start, self.first),
            stop=min(pass_.stop, self.last),
            iteration=bisect_left(self.trace.iteration_ends, pass_.stop) + 1,
            output=None if pass_.output is None else self.index.get(pass_.output),
            output_label="" if pass_.output is None else self.trace.label(pass_.output),
            grads=tuple(
                (self.index.get(node), name, grad)
                for node, name, grad in grads_after(self.trace, pass_)
            ),
        )

    def _step(self, index: int) -> LessonStep:
        trace, step, told = self.trace, self.trace.step(index), explain(self.trace, index)
        receiver = int(trace.receivers[index])
        node = None if step.node is None else self.index[step.node]
        if receiver == NO_NODE:
            return LessonStep(step, told, node, None)
        progress = trace.progress(receiver, index + 1)
        grows = accumulation(trace, step)
        received = LessonStep(
            step=step,
            told=replace(told, notes=(*told.notes, grows)) if grows else told,
            node=node,
            receiver=self.index[receiver],
            contribution=trace.contributions[index],
            before=trace.gradient(receiver, index),
            total_after=trace.totals[index],
            received=progress.received,
            left=progress.expected - progress.received,
        )
        if step.kind is not StepKind.CONTRIBUTION or step.node is None:
            return received
        return replace(
            received,
            upstream=trace.gradient(step.node, index),
            local=local_derivative(trace, index),
            earlier=earlier_senders(trace, step),
            question=None if self.examiner is None else self.examiner.question(index),
            rule=array_rule(trace, index) if has_array(trace, step.node) else None,
        )
