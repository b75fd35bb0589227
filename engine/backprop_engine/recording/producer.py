"""What can be done with a recording beyond looking: formulas and rules, for calls that are known.

A call is written as a scenario of one line over its recorded operands, `out = softmax(a, dim=-1)`,
and run by the engine. Where the same comes out, the catalogue's formula, words, rules and parts are
those of the call.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, cast

import numpy as np

from backprop_engine.basics.source import (
    OperandError,
    ProblemError,
    ScenarioError,
    Source,
    Span,
)
from backprop_engine.basics.summary import Summary
from backprop_engine.basics.values import Dtype, Known, Value, dtype_of, kept, settle, shape_of
from backprop_engine.budget import LimitError
from backprop_engine.grammar.excerpt import whole
from backprop_engine.grammar.parser import parse_program
from backprop_engine.operation import OPERAND_LETTERS
from backprop_engine.program.scenario import Backward, Input
from backprop_engine.program.statements import read_program
from backprop_engine.recording.columns import RecordedNodes
from backprop_engine.recording.recording import Recording
from backprop_engine.run.explaining import CatalogueExplains, CatalogueSpells
from backprop_engine.run.recomputing import GraphRecomputes
from backprop_engine.run.record import record_parts
from backprop_engine.run.tape import graph_of
from backprop_engine.trace import Missing, Pass, Trace
from backprop_engine.trace.abilities import Ability, Explains, Opens, Recomputes, Reruns, Spells
from backprop_engine.trace.formula import Formula

_RESULT: Final = "out"
_CACHED: Final = 2048
_LARGEST: Final = 4_000_000
"""Elements of operands that a call is run with once more."""
_HOLE: Final = re.compile(r"\{(\d+)\}")
_FLOATS: Final = ("float32", "float64")
_CLOSE: Final = {"float32": 2e-4, "float64": 1e-9}
_REFUSED = (ScenarioError, OperandError, LimitError, ArithmeticError, ValueError, MemoryError)
"""What the engine raises for a call that it does not know, or not so."""


@dataclass(frozen=True, eq=False)
class Applied:
    """A call as the catalogue has it: a trace of one operation."""

    trace: Trace
    node: int
    operands: tuple[int | None, ...]
    """For each operand of the operation which operand of the call it is; None for a number."""

    def position(self, position: int) -> int:
        """Where operand `position` of the call stands in the operation; ValueError if nowhere."""
        return self.operands.index(position)


@dataclass(frozen=True, eq=False)
class RecordingProducer:
    """The producer of the trace of a recording."""

    recording: Recording
    calls: Sequence[int]
    """By node the call that made it; −1 for none."""
    nodes: RecordedNodes
    dtype: Dtype

    def __post_init__(self) -> None:
        cache: OrderedDict[int, Applied | Missing] = OrderedDict()
        object.__setattr__(self, "_applied", cache)

    def ability(self, trace: Trace, ability: type[Ability], node: int | None) -> Ability | Missing:
        """The ability, for `node` where that is given; or why there is none."""
        answer: Ability | Missing = self._ability(trace, ability, node)
        return answer

    def _ability(self, trace: Trace, ability: type[Any], node: int | None) -> Any:
        if ability is Spells:
            return CatalogueSpells()
        if ability is Reruns:
            return Missing(
                "a recording cannot be run again with other values", "change the program and run it"
            )
        if ability not in (Explains, Recomputes, Opens):
            return Missing("this is a recording of a real run: torch itself was the producer")
        if node is None:
            return _ABILITIES[ability](trace, self)
        applied = self.applied(node)
        if isinstance(applied, Missing):
            return applied
        if ability is Opens:
            opens = applied.trace.can(Opens, applied.node)
            if isinstance(opens, Missing):
                return opens
        return _ABILITIES[ability](trace, self)

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
        call, name = self.calls[node], self.nodes.operation_name(node)
        if call < 0:
            what = "its derivative is torch's own" if name else "nothing was computed there"
            return Missing(what)
        columns, outputs = self.recording.calls.columns, self.recording.calls.outputs(call)
        template = int(columns["template"][call])
        if template < 0 or len(outputs) != 1:
            return Missing(f"the catalogue has no {name} that is written like this")
        operands = self.nodes.operands[node]
        if len(operands) != len(self.recording.calls.operands(call)):
            return Missing(f"{name} takes more than the tensors it is given")
        values = [self.nodes.value[at] for at in operands]
        unknown = [at for at, value in enumerate(values) if isinstance(value, Summary)]
        if unknown:
            return Missing("only a summary of its operands is kept", "record with --values all")
        return self._run(node, self.recording.templates[template], values, upstream)

    def _run(
        self, node: int, template: str, values: Sequence[Known], upstream: Value | None
    ) -> Applied | Missing:
        name = self.nodes.operation_name(node)
        dtype = self.nodes.dtype_of(node)
        floats = {dtype_of(value) for value in values} & {*_FLOATS}
        if dtype not in _FLOATS or floats - {dtype} or len(values) > len(OPERAND_LETTERS):
            return Missing(f"the catalogue computes {name} in float32 and float64 alone")
        if sum(np.size(cast("Any", value)) for value in values) > _LARGEST:
            return Missing("its operands are too large to run it once more")
        letters = OPERAND_LETTERS[: len(values)]
        text = _HOLE.sub(lambda hole: f"{OPERAND_LETTERS[int(hole[1]) % 8]}", template)
        source = Source(name, f"{_RESULT} = {text}\n")
        inputs = [
            Input(
                letter,
                settle(kept(value), cast("Dtype", dtype)),
                dtype_of(value) in _FLOATS,
                Span(0, 0),
            )
            for letter, value in zip(letters, values, strict=True)
        ]
        try:
            statements = parse_program(whole(source), variables=frozenset(letters))
            scenario = read_program(source, statements, inputs, cast("Dtype", dtype))
            said = () if upstream is None else (Backward(_RESULT, upstream, Span(0, 0)),)
            trace = record_parts(replace(scenario, passes=said))
        except (ProblemError, *_REFUSED):
            return Missing(f"the catalogue has no {name} that is written like this")
        return self._told(node, trace)

    def _told(self, node: int, trace: Trace) -> Applied | Missing:
        graph = graph_of(trace)
        name = self.nodes.operation_name(node)
        result = trace.named(_RESULT)
        by_letter = {at: index for index, at in enumerate(graph.inputs.values())}
        if result is None or graph.operation[result] is None:
            return Missing(f"{name} hands on what it is given")
        operands = graph.operands[result]
        if any(at not in by_letter and graph.operation[at] is not None for at in operands):
            return Missing(f"{name} is more than one operation of the catalogue")
        if not _is_close(graph.value[result], self.nodes.value[node]):
            return Missing(f"{name} has computed something else than the catalogue would")
        places = tuple(by_letter.get(at) for at in operands)
        asked = [at for at, operand in enumerate(self.nodes.operands[node]) if self._asks(operand)]
        if any(at not in places for at in asked):
            return Missing(f"the catalogue's {name} has fewer operands")
        return Applied(trace, result, places)

    def _asks(self, node: int) -> bool:
        return bool(self.nodes.requires_grad[node])


def _is_close(ours: Known, theirs: Known) -> bool:
    """Whether both are the same up to rounding, nans included; of a summary its shape is."""
    if shape_of(ours) != shape_of(theirs):
        return False
    if isinstance(ours, Summary) or isinstance(theirs, Summary):
        return True
    tolerance = _CLOSE.get(dtype_of(theirs), 0.0)
    with np.errstate(all="ignore"):
        scale = np.max(np.abs(theirs), initial=0.0, where=np.isfinite(theirs))
        return bool(np.allclose(ours, theirs, tolerance, tolerance * scale, equal_nan=True))


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
        return self._catalogue(applied).why(applied.node, applied.position(position))

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

    def open(self, node: int, pass_: Pass | None) -> Trace:
        """The parts as a trace of their own. Raises ValueError or ScenarioError."""
        upstream = None if pass_ is None else self.trace.gradient(node, pass_.stop)
        applied = self.producer.apply(node, kept(upstream))
        if isinstance(applied, Missing):
            raise ValueError(applied.sentence)
        opens = applied.trace.can(Opens, applied.node)
        if isinstance(opens, Missing):
            raise ValueError(opens.sentence)
        inner = applied.trace.passes[-1]
        return opens.open(applied.node, None if inner.output is None else inner)


_ABILITIES: Final[dict[type[Any], type[_OfCalls]]] = {
    Explains: RecordedExplains,
    Recomputes: RecordedRecomputes,
    Opens: RecordedOpens,
}
