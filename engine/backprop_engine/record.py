"""From a scenario to its trace: run forward once, run every backward pass, keep everything."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from backprop_engine.backward import backward
from backprop_engine.collector import collector_paused
from backprop_engine.evaluate import Evaluation
from backprop_engine.graph import Graph
from backprop_engine.scenarios.scenario import Backward, Retain, Scenario, ZeroGrad
from backprop_engine.source import Problem, ScenarioError, Span
from backprop_engine.trace import NO_NODE, Heading, Pass, PassKind, Trace
from backprop_engine.values import Value, full_like, settle, shape_of


def record(scenario: Scenario) -> Trace:
    """The complete trace of `scenario`; ScenarioError where it cannot be run."""
    with collector_paused(), np.errstate(all="ignore"):
        evaluation = Evaluation(scenario)
        recorder = _Recorder(scenario, evaluation)
        recorder.check_expectations()
        recorder.forward()
        for one in scenario.passes:
            if isinstance(one, Backward):
                recorder.backward(one)
            else:
                recorder.zero_grad(one)
    return Trace(
        heading=Heading(scenario.title, scenario.about, scenario.source, recorder.resolve_hints()),
        graph=evaluation.graph,
        assigned=evaluation.assigned,
        passes=tuple(recorder.passes),
        senders=np.array(recorder.senders, np.int64),
        receivers=np.array(recorder.receivers, np.int64),
        positions=np.array(recorder.positions, np.int64),
        contributions=recorder.contributions,
        totals=recorder.totals,
    )


@dataclass
class _Recorder:
    """The columns of a trace, while they grow."""

    scenario: Scenario
    evaluation: Evaluation
    passes: list[Pass] = field(default_factory=list)
    senders: list[int] = field(default_factory=list)
    receivers: list[int] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    contributions: list[Value | None] = field(default_factory=list)
    totals: list[Value | None] = field(default_factory=list)

    def __post_init__(self) -> None:
        for one in self.scenario.retained:
            self._retain(one)
        self.grads: dict[int, Value | None] = dict.fromkeys(self.graph.keeping_grad)

    @property
    def graph(self) -> Graph:
        return self.evaluation.graph

    def forward(self) -> None:
        """One step for each operation, in the order they ran."""
        for node, operation in enumerate(self.graph.operation):
            if operation is not None:
                self._add_step(node, NO_NODE, NO_NODE, None, None)
        self._end_pass(PassKind.FORWARD, "forward", start=0)

    def backward(self, one: Backward) -> None:
        """The seed, then every contribution; afterwards `.grad` grows by the pass's sums."""
        start = len(self.senders)
        output = self.evaluation.node(one.output, one.span)
        seed = self._seed(one, output)
        self._add_step(output, output, NO_NODE, seed, seed)
        received: dict[int, Value] = {output: seed} if output in self.grads else {}
        for node, position, operand, sent, total in backward(self.graph, output, seed):
            self._add_step(node, operand, position, sent, total)
            if operand in self.grads:
                received[operand] = total
        for leaf, total in received.items():
            before = self.grads[leaf]
            self.grads[leaf] = total if before is None else settle(before + total, self.graph.dtype)
        self._end_pass(PassKind.BACKWARD, f"backward {one.output}", start, output, self.grads)

    def _retain(self, one: Retain) -> None:
        node = self.evaluation.node(one.name, one.span)
        if not self.graph.requires_grad[node]:
            raise self._error(
                one,
                "can't retain_grad on Tensor that has requires_grad=False: "
                f"`{one.name}` depends on no input that requires grad",
                "leave it out",
            )
        if self.graph.operation[node] is not None:  # a leaf keeps its `.grad` anyway
            self.graph.retained.add(node)

    def _grad_owner(self, name: str, span: Span) -> int:
        """The node whose `.grad` is meant: the input of that name before any other."""
        found = self.graph.inputs.get(name)
        return self.evaluation.node(name, span) if found is None else found

    def zero_grad(self, one: ZeroGrad) -> None:
        """A pass of one step: every input's `.grad` None, or one `.grad` None or zeros."""
        start = len(self.senders)
        if one.name is None:
            self.grads |= dict.fromkeys(set(self.grads) - self.graph.retained)
            name = "zero_grad"
        elif one.to_none:
            self.grads[self._grad_owner(one.name, one.span)] = None
            name = f"{one.name}.grad = None"
        else:
            leaf = self._grad_owner(one.name, one.span)
            before = self.grads.get(leaf)
            if before is None:
                raise self._error(
                    one,
                    f"`{one.name}.grad` is None here, there is nothing to zero",
                    "call it after a backward pass",
                )
            self.grads[leaf] = full_like(before, 0.0)
            name = f"{one.name}.grad.zero_()"
        self._add_step(NO_NODE, NO_NODE, NO_NODE, None, None)
        self._end_pass(PassKind.ZERO_GRAD, name, start, None, self.grads)

    def resolve_hints(self) -> dict[int, str]:
        """The scenario's hints by node."""
        return {self._hinted(name, one.span): one.text for name, one in self.scenario.hints.items()}

    def _hinted(self, name: str, span: Span) -> int:
        found = self.evaluation.names.get(name, self.graph.inputs.get(name))
        return self.evaluation.node(name, span) if found is None else found

    def check_expectations(self) -> None:
        """Raise ScenarioError for an expectation of a name that stands for several values."""
        for one in self.scenario.expectations:
            if not one.is_grad:
                self.evaluation.node(one.name, one.span)

    def _seed(self, one: Backward, output: int) -> Value:
        graph, value = self.graph, self.graph.value[output]
        if not graph.requires_grad[output]:
            raise self._error(
                one,
                "element 0 of tensors does not require grad and does not have a grad_fn: "
                f"`{one.output}` depends on no input that requires grad",
                "write `requires_grad=True` into its `torch.tensor(…)`"
                if one.is_call
                else "give an input `requires_grad: true`",
            )
        shape = shape_of(value)
        gradient = one.gradient
        if one.gradient_name:
            gradient = graph.value[self.evaluation.node(one.gradient_name, one.span)]
        if gradient is None:
            if np.size(value) != 1:
                raise self._error(
                    one,
                    "grad can be implicitly created only for scalar outputs: "
                    f"`{one.output}` has shape {shape}, and backward computes a vector-Jacobian "
                    "product, not a Jacobian",
                    f"make it a number (`{one.output}.sum()`) or give the vector: "
                    f"{_with_gradient(one)} with shape {shape}",
                )
            return full_like(value, 1.0)
        if shape_of(gradient) != shape:
            raise self._error(
                one,
                f"`gradient` has shape {shape_of(gradient)}, but `{one.output}` has shape {shape}",
                "give one number for each element of the output",
            )
        return settle(gradient, graph.dtype)

    def _error(self, one: Backward | ZeroGrad | Retain, message: str, fix: str) -> ScenarioError:
        return ScenarioError(self.scenario.source, Problem(message, one.span, fix=fix))

    def _add_step(
        self, sender: int, receiver: int, position: int, sent: Value | None, total: Value | None
    ) -> None:
        self.senders.append(sender)
        self.receivers.append(receiver)
        self.positions.append(position)
        self.contributions.append(sent)
        self.totals.append(total)

    def _end_pass(
        self,
        kind: PassKind,
        name: str,
        start: int,
        output: int | None = None,
        grads: dict[int, Value | None] | None = None,
    ) -> None:
        self.passes.append(
            Pass(
                index=len(self.passes),
                kind=kind,
                name=name,
                start=start,
                stop=len(self.senders),
                output=output,
                grads=None if grads is None else dict(grads),
            )
        )


def _with_gradient(one: Backward) -> str:
    """How the pass is written with a `gradient`."""
    if one.is_call:
        return f"`{one.output}.backward(gradient=torch.tensor(…))`"
    return f"`backward: {{of: {one.output}, gradient: …}}`"
