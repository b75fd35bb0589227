"""The columns of a trace as they grow: the forward pass, then every backward pass."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field
from typing import Any

import numpy as np

from backprop_engine.backward import BackwardPass, DerivativeError, backward, bytes_of_pass
from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.source import Advice, Problem, ProblemError, ScenarioError, Source, Span
from backprop_engine.basics.values import Shape, Value, full_like, is_float, settle, shape_of
from backprop_engine.budget import LimitError
from backprop_engine.graph import Graph
from backprop_engine.program.scenario import Backward, Retain, ZeroGrad
from backprop_engine.program.unsupported import grad_of_non_leaf
from backprop_engine.run.kept_for_backward import Kept
from backprop_engine.run.passes import EVERY_INPUT, Called
from backprop_engine.run.sharing import Sharers
from backprop_engine.trace import NO_NODE, Heading, Pass, PassKind, Trace
from backprop_engine.trace.abilities import Producer

_IMMUTABLE = (
    "ZeroTensors are immutable. Please use the materialized zero tensor obtained using .clone() if "
    "you want a mutable tensor."
)


@dataclass
class Recorder:
    """The columns of a trace, while they grow, pass by pass."""

    source: Source
    graph: Graph
    sharers: Sharers
    passes: list[Pass] = field(default_factory=list)
    columns: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = field(default_factory=list)
    """Senders, receivers and positions of the steps, in parts."""
    contributions: list[Value | None] = field(default_factory=list)
    totals: list[Value | None] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.grads: dict[int, Value | None] = {}
        self.immutable: set[int] = set()
        """Leaves whose `.grad` torch keeps without numbers, as it is 0, and cannot add to."""
        self.kept = Kept(self.source, self.graph, self.sharers)

    def run(self, passes: Iterable[Called], retained: Iterable[Called] = ()) -> None:
        """The forward pass and all others; ScenarioError where one cannot be run."""
        for called in retained:
            self._retain(called)
        self.grads = dict.fromkeys(self.graph.keeping_grad)
        self._forward()
        for called in passes:
            if isinstance(called.said, Backward):
                self._within_limits(called.said, called)
            else:
                self._zero_grad(called)

    def _within_limits(self, asked: Backward, called: Called) -> None:
        """A backward pass; ScenarioError where it would take too much."""
        try:
            with self.graph.budget.running():
                self._backward(asked, called)
        except MemoryError:
            raise self._error(asked, "there is no memory left", "use smaller arrays") from None
        except LimitError as error:
            raise self._error(asked, str(error), error.fix) from None
        except ProblemError as error:
            raise ScenarioError(self.source, error.problem) from None
        except DerivativeError as error:
            raise self._underivable(asked, error) from error

    def _underivable(self, asked: Backward, error: DerivativeError) -> ScenarioError:
        """The error at the operation whose derivative cannot be computed with these values."""
        name = self.graph.operation_name(error.node)
        operand = self.graph.names.get(self.graph.operands[error.node][error.position])
        by = f"`{operand}`" if operand else f"operand {error.position + 1}"
        problem = Problem(
            f"the derivative of `{name}` by {by} cannot be computed here: {error}",
            self.graph.span[error.node] or asked.span,
            fix="give it other values, or `.detach()` the operand",
        )
        return ScenarioError(self.source, problem)

    def trace(self, heading: Heading, assigned: Mapping[str, int], producer: Producer) -> Trace:
        """What was recorded."""
        senders, receivers, positions = (
            np.concatenate(columns) for columns in zip(*self.columns, strict=True)
        )
        return Trace(
            heading=heading,
            nodes=self.graph,
            assigned=assigned,
            passes=tuple(self.passes),
            senders=senders,
            receivers=receivers,
            positions=positions,
            contributions=self.contributions,
            totals=self.totals,
            producer=producer,
            earlier=self.sharers.histories(),
        )

    def _forward(self) -> None:
        """One step for each operation, in the order they ran."""
        nodes = self.graph.computed
        count = len(nodes)
        self._add_steps((nodes, *_nowhere(count)), [None] * count, [None] * count)
        self._end_pass(PassKind.FORWARD, "forward")

    def _backward(self, asked: Backward, called: Called) -> None:
        """The seed, then every contribution; afterwards `.grad` grows by the pass's sums."""
        output = called.node
        seed = self._seed(asked, called)
        self.graph.budget.take(bytes_of_pass(self.graph, output))
        done = backward(self.graph, output, seed)
        if asked.detects_anomaly:
            self._check_for_nan(done)
        only_zeros = self._zeros_of_sgn(done)
        for leaf, before in self.grads.items():
            total = done.gradient[leaf] if leaf <= output else None
            if leaf in self.immutable and total is not None and asked.is_call:
                raise ProblemError(_IMMUTABLE, asked.span, fix="write `torch.sign` for `torch.sgn`")
            if before is None and leaf in only_zeros:
                self.immutable.add(leaf)
            if total is not None:
                both = total if before is None else settle(before + total, self.graph.dtype)
                self.grads[leaf] = both
        nodes, positions, operands = done.edges
        loose = self._sending_nowhere(done)
        self.kept.check(
            asked,
            called.stop,
            np.append(nodes, loose[:, 0]),
            np.append(positions, loose[:, 1]),
        )
        there, no_position = np.full(1, output, np.int32), _nowhere(1)[1]
        self._add_steps((there, there, no_position), [seed], [seed])
        self._add_steps((nodes, operands, positions), done.contributions, done.totals)
        self._end_pass(PassKind.BACKWARD, f"backward {called.name}", output)

    def _sending_nowhere(self, done: BackwardPass) -> np.ndarray:
        """Each node that has a gradient with the position of each of its loose operands; int32."""
        graph = self.graph
        loose = {node for node in self.sharers.unrecorded if graph.kind[node].is_loose}
        edges = [
            (node, position)
            for node, gradient in enumerate(done.gradient if loose else ())
            if gradient is not None
            for position, operand in enumerate(graph.differentiated(node))
            if operand in loose and graph.kind[node].requires_grad
        ]
        return np.array(edges, np.int32).reshape(-1, 2)

    def _zeros_of_sgn(self, done: BackwardPass) -> set[int]:
        """The nodes that received nothing but what `sgn` sends: torch has no numbers for that."""
        operations = (kind.operation for kind in {*self.graph.kind})
        if not any(operation is not None and operation.name == "sgn" for operation in operations):
            return set()
        sent = [(step.operand, self.graph.operation_name(step.node)) for step in done]
        others = {node for node, by in sent if by != "sgn"}
        return {node for node, _ in sent} - others

    def _check_for_nan(self, done: BackwardPass) -> None:
        """Raise ProblemError where something that is sent has a nan in it.

        In torch's words where the operation is one function of torch's. Of several, the nan may be
        another one's than the last, by which the node is called.
        """
        graph = self.graph
        for sent in done:
            if not np.any(np.isnan(sent.contribution)):
                continue
            function = graph.grad_fn(sent.node)
            name = graph.operation_name(sent.node).partition(".")[0]
            said = f"Function '{function}' returned nan values in its {sent.position}th output."
            if name.replace("_", "") not in function.lower():
                said = f"one of the functions that torch runs for `{name}` returned nan values"
            raise ProblemError(
                said,
                graph.span[sent.node] or Span(0, 0),
                fix="to go through the passes and see where the nan is born, leave out "
                "`set_detect_anomaly`",
            )

    def _retain(self, retained: Called) -> None:
        name, node = retained.name, retained.node
        if self.graph.kind[node].is_loose:
            return  # torch takes it for a leaf
        if not self.graph.requires_grad[node]:
            reason, _ = self._why_no_grad(node)
            raise self._error(
                retained.said,
                f"can't retain_grad on Tensor that has requires_grad=False: `{name}` {reason}",
                f"leave it out: no gradient ever reaches `{name}`",
            )
        if not self.graph.is_leaf(node):  # a leaf keeps its `.grad` anyway
            self.graph.retained.add(node)

    def _zero_grad(self, called: Called) -> None:
        """A pass of one step: every input's `.grad` None, or one `.grad` None or zeros."""
        said, name, node = called.said, called.name, called.node
        if node == EVERY_INPUT:
            self.grads |= dict.fromkeys(set(self.grads) - self.graph.retained)
            self.immutable &= self.graph.retained
            title = "zero_grad"
        elif not self.graph.is_leaf(node) and node not in self.graph.retained:
            raise ScenarioError(self.source, grad_of_non_leaf(name, said.span).problem)
        elif isinstance(said, ZeroGrad) and said.to_none:
            self.grads[node] = None
            self.immutable.discard(node)
            title = f"{name}.grad = None"
        else:
            before = self.grads.get(node)
            if before is None:
                raise self._error(
                    said,
                    f"`{name}.grad` is None here, there is nothing to zero",
                    "call it after a backward pass",
                )
            self.grads[node] = full_like(before, 0.0)
            title = f"{name}.grad.zero_()"
        nowhere, no_position = _nowhere(1)
        self._add_steps((nowhere, nowhere, no_position), [None], [None])
        self._end_pass(PassKind.ZERO_GRAD, title, cleared=None if node == EVERY_INPUT else node)

    def _seed(self, asked: Backward, called: Called) -> Value:
        output, name = called.node, called.name
        graph, value = self.graph, self.graph.value[output]
        if not graph.requires_grad[output]:
            reason, fix = self._why_no_grad(output)
            said = "element 0 of tensors does not require grad and does not have a grad_fn"
            raise self._error(
                asked,
                f"{said}: `{name}` {reason}",
                fix or (_REQUIRES_GRAD.program if asked.is_call else _REQUIRES_GRAD),
            )
        shape = shape_of(value)
        gradient = asked.gradient
        if called.vector is not None:
            gradient = graph.value[called.vector]
        if gradient is None:
            if np.size(value) != 1:
                raise self._error(
                    asked,
                    "grad can be implicitly created only for scalar outputs: "
                    f"`{name}` has shape {shape}, and backward computes a vector-Jacobian "
                    "product, not a Jacobian",
                    _make_number(asked, shape),
                )
            return full_like(value, 1.0)
        if shape_of(gradient) != shape:
            raise self._error(
                asked,
                f"`gradient` has shape {shape_of(gradient)}, but `{name}` has shape {shape}",
                "give one number for each element of the output",
            )
        return settle(gradient, graph.dtype)

    def _why_no_grad(self, node: int) -> tuple[str, str | Advice]:
        """Why a node does not require grad, and what to do; nothing where an input is to blame."""
        graph = self.graph
        if graph.operation[node] is None:
            if is_float(graph.value[node]):
                return "is a leaf that does not require grad", ""
            return (
                "is a leaf that is not of floating point dtype, and so cannot require grad",
                Advice(
                    "leave out its `dtype`, and give it `requires_grad: true`",
                    "write its numbers with a point, such as `2.`, and `requires_grad=True`",
                ),
            )
        cut = graph.cut_behind(node)
        if cut is None:
            return "depends on no input that requires grad", ""
        operation = graph.applied(cut)
        if operation.differentiable and is_float(graph.value[cut]):
            reason = "but was computed inside of `no_grad`"
            fix = f"take `{graph.names.get(cut, operation.name)}` out of the block"
        else:
            reason = f"but through `{operation.name}`, and no gradient goes back through that"
            fix = f"leave `{operation.name}` out"
        return f"comes from an input that requires grad, {reason}", fix

    def _error(
        self, statement: Backward | ZeroGrad | Retain, message: str, fix: str | Advice
    ) -> ScenarioError:
        return ScenarioError(self.source, Problem(message, statement.span, fix=fix))

    def _add_steps(
        self,
        columns: tuple[np.ndarray, np.ndarray, np.ndarray],
        contributions: list[Any],
        totals: list[Any],
    ) -> None:
        """The lists are handed over, and must not be used again."""
        self.columns.append(columns)
        self.contributions = _joined(self.contributions, contributions)
        self.totals = _joined(self.totals, totals)

    def _end_pass(
        self, kind: PassKind, name: str, output: int | None = None, cleared: int | None = None
    ) -> None:
        """The steps added since the last pass are one."""
        start, stop = self.passes[-1].stop if self.passes else 0, len(self.contributions)
        grads = None if kind is PassKind.FORWARD else dict(self.grads)
        self.passes.append(Pass(len(self.passes), kind, name, start, stop, output, grads, cleared))


_REQUIRES_GRAD = Advice(
    "give an input `requires_grad: true`", "write `requires_grad=True` into its `torch.tensor(…)`"
)


def _joined(before: list[Any], more: list[Any]) -> list[Any]:
    """Both lists as one; the longer one is not copied."""
    if len(more) > len(before):
        more[:0] = before
        return more
    before += more
    return before


def _nowhere(steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Receivers and positions of steps that send nothing."""
    return np.full(steps, NO_NODE, np.int32), np.full(steps, NO_NODE, np.int16)


def _make_number(asked: Backward, shape: Shape) -> str | Advice:
    """What to write where the output is an array: its sum, or the pass with a `gradient`."""
    start = f"make it a number (`{asked.output}.sum()`) or give the vector: "
    called = f"{start}`{asked.output}.backward(gradient=torch.tensor(…))` with shape {shape}"
    key = f"{start}`backward: {{of: {asked.output}, gradient: …}}` with shape {shape}"
    return called if asked.is_call else Advice(key, called)
