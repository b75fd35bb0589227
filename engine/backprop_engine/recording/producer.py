"""What can be done with a recording beyond looking: the formulas and rules of known calls."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any, Final

import numpy as np

from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.values import Value, kept
from backprop_engine.operation import OPERAND_LETTERS
from backprop_engine.recording.applied import Applied, Call, in_catalogue
from backprop_engine.recording.columns import RecordedNodes
from backprop_engine.recording.layers import LayerOpens, layer_opens
from backprop_engine.recording.recording import Recording
from backprop_engine.recording.recurrent import RESULTS
from backprop_engine.recording.torch_texts import SOURCE, torch_text
from backprop_engine.run.explaining import CatalogueExplains, CatalogueSpells
from backprop_engine.run.opening import ComposedOpens
from backprop_engine.run.recomputing import GraphRecomputes
from backprop_engine.run.tape import graph_of
from backprop_engine.trace import Missing, Pass, Trace
from backprop_engine.trace.abilities import Explains, Opens, Quotes, Recomputes, Reruns, Spells
from backprop_engine.trace.formula import Formula

_CACHED: Final = 2048
_DEEP: Final = "run --deep records the kernels that torch runs in it"


@dataclass(frozen=True, eq=False)
class RecordingProducer:
    """The producer of the trace of a recording."""

    recording: Recording
    nodes: RecordedNodes

    def __post_init__(self) -> None:
        cache: OrderedDict[int, Applied | Missing] = OrderedDict()
        object.__setattr__(self, "_applied", cache)

    def ability(self, trace: Trace, ability: type[Any], node: int | None) -> Any:
        """An `ability`, for `node` where that is given; or `Missing`, why there is none."""
        if ability is Spells:
            return CatalogueSpells()
        if ability is Reruns:
            return Missing(
                "a recording cannot be run again with other values", "change the program and run it"
            )
        if ability is Quotes:
            return self._quotes(trace, node)
        if ability not in (Explains, Recomputes, Opens):
            return Missing("this is a recording of a real run: torch itself was the producer")
        return (
            _ABILITIES[ability](trace, self)
            if node is None
            else self._of_node(trace, ability, node)
        )

    def _of_node(self, trace: Trace, ability: type[Any], node: int) -> Any:
        if ability is Opens and trace.nodes.operation_name(node) in RESULTS:
            return self._layer(trace, node)
        applied = self.applied(node)
        if isinstance(applied, Missing):
            is_parts = ability is Opens and self._autograd_nodes(node) > 1 and not applied.instead
            is_parts = is_parts and not self.recording.start.is_deep
            return replace(applied, instead=_DEEP) if is_parts else applied
        if ability is not Explains:
            missing = applied.inexact or self._sent_together(trace, node)
            if missing is not None:
                return missing
        if ability is Opens:
            opens = applied.trace.can(Opens, applied.node)
            if isinstance(opens, Missing):
                why = opens.reason.rpartition(": ")[2]  # `out = a[16]` is what is told inside
                return replace(opens, reason=f"{trace.label(node)}: {why}")
        return _ABILITIES[ability](trace, self)

    def _layer(self, trace: Trace, node: int) -> LayerOpens | Missing:
        """The steps in time of a recurrent layer."""
        call, calls = int(self.nodes.calls[node]), self.recording.calls
        template = int(calls.columns["template"][call]) if call >= 0 else -1
        if template < 0:
            return Missing(f"{trace.label(node)}: how it was called is not known")
        made = [value for value, _, _ in calls.outputs(call)]
        outputs = sorted(self.outputs(node), key=lambda at: made.index(int(self.nodes.numbers[at])))
        given, text = len(calls.operands(call)), self.recording.templates[template]
        return layer_opens(trace, node, text, given, outputs)

    def _quotes(self, trace: Trace, node: int | None) -> Quotes | Missing:
        """Of a node that one autograd node stands behind, and no more, what torch has of it."""
        if node is not None and trace.nodes.operands[node]:
            is_one = self._autograd_nodes(node) == 1
            if is_one and torch_text(trace.nodes.grad_fn(node), 0, 1):
                return QuotesTorch(trace)
        return Missing("torch has no text of this derivative")

    def _autograd_nodes(self, node: int) -> int:
        """How many autograd nodes the call has made that made `node`."""
        columns, call = self.recording.calls.columns, self.nodes.calls[node]
        return 1 if call < 0 else int(columns["after"][call] - columns["before"][call])

    def _sent_together(self, trace: Trace, node: int) -> Missing | None:
        """Why what `node` sends is not made of its gradient alone, if so."""
        outputs = self.outputs(node)
        if sum(bool(trace.receipts(one)) for one in outputs) < 2:
            return None
        return Missing(f"all {len(outputs)} results of {trace.label(node)} send in one step")

    def outputs(self, node: int) -> list[int]:
        """The nodes that the call has made which made `node`."""
        call = self.nodes.calls[node]
        found: list[int] = [node] if call < 0 else np.flatnonzero(self.nodes.calls == call).tolist()
        return found

    def applied(self, node: int) -> Applied | Missing:
        """The call that made `node` as the catalogue has it; or why it does not."""
        cache: OrderedDict[int, Applied | Missing] = self._applied  # type: ignore[attr-defined]
        found = cache.get(node)
        if found is None:
            found = cache[node] = self.apply(node, None)
            if len(cache) > _CACHED:
                cache.popitem(last=False)
        return found

    def apply(self, node: int, upstream: Value | None) -> Applied | Missing:
        """The same anew, and back from `upstream`, if it is given."""
        call, nodes, calls = int(self.nodes.calls[node]), self.nodes, self.recording.calls
        name = nodes.operation_name(node)
        if call < 0:
            what = "its derivative is torch's own" if name else "nothing was computed there"
            return Missing(what)
        template = int(calls.columns["template"][call])
        if template < 0:
            return Missing(f"the catalogue has no {name} that is written like this")
        operands = nodes.operands[node]
        if len(operands) != len(calls.operands(call)):
            return Missing(f"{name} takes more than the tensors it is given")
        text = self.recording.templates[template]
        outputs = [value for value, _, _ in calls.outputs(call)]
        if len(outputs) > 1 and nodes.numbers[node] in outputs:
            text += f"[{outputs.index(nodes.numbers[node])}]"
        told = Call(
            name=name,
            template=text,
            operands=[nodes.value[at] for at in operands],
            value=nodes.value[node],
            dtypes=[nodes.dtype_of(at) for at in (node, *operands)],
            asked=frozenset(at for at, one in enumerate(operands) if nodes.requires_grad[one]),
        )
        return in_catalogue(told, upstream)


@dataclass(frozen=True, eq=False, slots=True)
class QuotesTorch:
    """Torch's own texts."""

    trace: Trace

    @property
    def source(self) -> str:
        """Where they stand."""
        return SOURCE

    def text(self, node: int, position: int) -> str:
        """What the node's autograd node sends to an operand."""
        nodes = self.trace.nodes
        return torch_text(nodes.grad_fn(node), position, len(nodes.operands[node]))


@dataclass(frozen=True, eq=False, slots=True)
class _OfCalls:
    """An ability for the nodes that the catalogue knows; MissingError for others is ValueError."""

    trace: Trace
    producer: RecordingProducer

    def _applied(self, node: int) -> Applied:
        applied = self.producer.applied(node)
        if isinstance(applied, Missing):
            raise ValueError(applied.sentence)
        return applied


class RecordedExplains(_OfCalls):
    """The catalogue's formulas and words."""

    def output(self, node: int) -> Formula:
        """How `node` is made of its operands."""
        applied = self._applied(node)
        return self._formula(node, applied, self._catalogue(applied).output(applied.node))

    def local(self, node: int, position: int) -> Formula | None:
        """∂node/∂operand; None where elements mix."""
        applied = self._applied(node)
        told = self._catalogue(applied).local(applied.node, applied.position(position))
        return None if told is None else self._formula(node, applied, told)

    def product(self, node: int, position: int) -> Formula | None:
        """The vector-Jacobian product, where elements mix."""
        applied = self._applied(node)
        told = self._catalogue(applied).product(applied.node, applied.position(position))
        return None if told is None else self._formula(node, applied, told)

    def words(self, node: int) -> str:
        """What the operation does."""
        applied = self._applied(node)
        return self._catalogue(applied).words(applied.node)

    def why(self, node: int, position: int) -> str:
        """One plain sentence on why the derivative is so."""
        applied = self._applied(node)
        why = self._catalogue(applied).why(applied.node, applied.position(position))
        name, count = self.trace.nodes.operation_name(node), len(self.producer.outputs(node))
        return why if count < 2 else f"{why} All {count} results of {name} send in this one step."

    @staticmethod
    def _catalogue(applied: Applied) -> CatalogueExplains:
        return CatalogueExplains(graph_of(applied.trace))

    def _formula(self, node: int, applied: Applied, formula: Formula) -> Formula:
        """The same about nodes of the recording; numbers that are written out are attributes."""
        graph = graph_of(applied.trace)
        operands = self.trace.nodes.operands[node]
        nodes, attributes = {"y": node}, dict(formula.attributes)
        for letter, own, at in zip(
            OPERAND_LETTERS, graph.operands[applied.node], applied.operands, strict=False
        ):
            if at is None:
                attributes[letter] = graph.value[own]
            else:
                nodes[letter] = operands[at]
        return Formula(formula.template, nodes, attributes)


class RecordedRecomputes(_OfCalls):
    """The catalogue's rules, on the recorded operands."""

    def send(self, node: int, position: int, upstream: Value) -> Value:
        """Upstream × local, in the shape of the operand. Raises ArithmeticError or ValueError."""
        applied = self._applied(node)
        rules = GraphRecomputes(graph_of(applied.trace))
        return rules.send(applied.node, applied.position(position), upstream)

    def terms(self, node: int, position: int, upstream: Value) -> Value:
        """The same before it is summed over the axes that the operand was broadcast along."""
        applied = self._applied(node)
        rules = GraphRecomputes(graph_of(applied.trace))
        return rules.terms(applied.node, applied.position(position), upstream)

    def is_by_element(self, node: int) -> bool:
        """Whether each element of `node` is made of one element of each operand."""
        applied = self.producer.applied(node)
        if isinstance(applied, Missing):
            return False
        return GraphRecomputes(graph_of(applied.trace)).is_by_element(applied.node)


class RecordedOpens(_OfCalls):
    """The parts of an operation, run with the recorded operands and upstream gradient."""

    @staticmethod
    def together(node: int) -> Collection[int]:
        """The nodes that send in one step with `node`."""
        return (node,)

    def open(self, node: int, pass_: Pass | None) -> Trace:
        """The parts as a trace of their own. Raises ValueError or ScenarioError."""
        upstream = None if pass_ is None else self.trace.gradient(node, pass_.stop)
        applied = self.producer.apply(node, kept(upstream))
        if isinstance(applied, Missing):
            raise ValueError(applied.sentence)
        opens = applied.trace.can(Opens, applied.node)
        if isinstance(opens, Missing):
            raise ValueError(opens.sentence)
        if isinstance(opens, ComposedOpens):
            opens = replace(opens, label=self._label(node, applied))
        inner = applied.trace.passes[-1]
        return opens.open(applied.node, None if inner.output is None else inner)

    def _label(self, node: int, applied: Applied) -> Callable[[int], str]:
        """What nodes of `applied` are called in the run."""
        trace, inner = self.trace, graph_of(applied.trace)
        labels = {applied.node: trace.label(node)}
        for own, at in zip(inner.operands[applied.node], applied.operands, strict=True):
            if at is not None:
                labels[own] = trace.label(trace.nodes.operands[node][at])
        return lambda at: labels[at] if at in labels else applied.trace.label(at)


_ABILITIES: Final[dict[type[Any], type[_OfCalls]]] = {
    Explains: RecordedExplains,
    Recomputes: RecordedRecomputes,
    Opens: RecordedOpens,
}
