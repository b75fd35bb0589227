"""The inside of recorded recurrent layers: their steps in time, run with the recorded operands."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.source import Source, Span
from backprop_engine.basics.summary import Summary
from backprop_engine.basics.values import Dtype, Known, Value, kept, settle, shape_of
from backprop_engine.grammar.excerpt import whole
from backprop_engine.grammar.parser import parse_program
from backprop_engine.program.scenario import Backward, Input, Scenario
from backprop_engine.program.statements import read_program
from backprop_engine.recording.applied import REFUSED
from backprop_engine.recording.recurrent import RESULTS, Spelled, UnfitError, spelled
from backprop_engine.run.record import record_parts
from backprop_engine.trace import Missing, Pass, Trace
from backprop_engine.trace.abilities import MissingError

_CLOSE: Final = {"float32": 1e-4, "float64": 1e-9}


@dataclass(frozen=True, eq=False, slots=True)
class LayerOpens:
    """A call of a recurrent layer as a trace of its own."""

    trace: Trace
    text: Spelled
    operands: Sequence[int]
    outputs: Sequence[int]
    """The nodes of what it has given, in their order."""

    def together(self, _node: int) -> Collection[int]:
        """The nodes that send in one step with a node: all results."""
        return self.outputs

    def open(self, node: int, pass_: Pass | None) -> Trace:
        """Forward, and back from each result that has a gradient in `pass_`. MissingError where
        that comes to something else than was recorded.
        """
        trace = self.trace
        try:
            inner = record_parts(self._scenario(node, pass_))
        except REFUSED as error:
            raise MissingError(Missing(f"its steps cannot be run: {error}")) from None
        name = RESULTS[trace.nodes.operation_name(node)][self.outputs.index(node)]
        at, known = inner.named(name), trace.nodes.value[node]
        close = _CLOSE[inner.dtype]
        if at is None or not np.allclose(
            _array(inner.nodes.value[at]), _array(known), close, close, equal_nan=True
        ):
            raise MissingError(Missing("torch has computed something else than its steps give"))
        return inner

    def _scenario(self, node: int, pass_: Pass | None) -> Scenario:
        trace, names = self.trace, self.text.inputs
        name, results = trace.nodes.operation_name(node), [trace.label(at) for at in self.outputs]
        made = f"{', '.join(results)} = {name}({trace.label(self.operands[0])}, …)"
        legend = ", ".join(
            f"{given} is {trace.label(at)}" for given, at in zip(names, self.operands, strict=True)
        )
        source = Source(f"inside of {made}", f"# {made}\n{self.text.text}")
        wide = trace.nodes.dtype_of(node) == "float64"
        dtype: Dtype = "float64" if wide else "float32"
        inputs = [
            Input(
                given,
                settle(_array(trace.nodes.value[at]), dtype),
                bool(trace.nodes.requires_grad[at]),
                Span(0, 0),
            )
            for given, at in zip(names, self.operands, strict=True)
        ]
        statements = parse_program(whole(source), variables=frozenset(names))
        scenario = read_program(source, statements, inputs, dtype)
        about = (
            f"Inside of `{made}`: its steps in time, by the equations of torch's documentation. "
            f"Here {legend}.\n\nTo torch it is one call; the steps come to the same, up to "
            "rounding. `I` closes it again and compares the two."
        )
        passes = tuple(
            Backward(result, settle(upstream, dtype), Span(0, 0))
            for result, at in zip(RESULTS[name], self.outputs, strict=True)
            if pass_ is not None and (upstream := self._upstream(at, pass_)) is not None
        )
        return replace(scenario, passes=passes, title=f"inside of {made}", about=about)

    def _upstream(self, node: int, pass_: Pass) -> Value | None:
        """The gradient of a result without what the others send to it, as h of a cell does to c;
        None where none is kept.
        """
        trace, others = self.trace, {*self.outputs} - {node}
        steps = [at for at in trace.receipts(node) if pass_.start <= at < pass_.stop]
        from_outside = [at for at in steps if int(trace.senders[at]) not in others]
        if len(from_outside) == len(steps):
            return kept(trace.gradient(node, pass_.stop)) if steps else None
        parts = [kept(trace.contribution(at)) for at in from_outside]
        present = [part for part in parts if part is not None]
        return sum(present[1:], present[0]) if present and len(present) == len(parts) else None


def layer_opens(
    trace: Trace, node: int, template: str, given: int, results: Sequence[int]
) -> LayerOpens | Missing:
    """The inside of the call `template` with `given` operands that made `node` among `results`; or
    why there is none.
    """
    name, label = trace.nodes.operation_name(node), trace.label(node)
    operands = trace.nodes.operands[node][:given]
    values = [trace.nodes.value[at] for at in operands]
    try:
        text = spelled(name, template, [shape_of(value) for value in values])
    except UnfitError as error:
        return Missing(f"{label}: {error}", error.instead)
    if {trace.nodes.dtype_of(at) for at in (node, *operands)} not in ({"float32"}, {"float64"}):
        return Missing(f"{label}: only of float32 or float64 can {name} be opened")
    if len(text.inputs) != len(operands) or len(results) != len(RESULTS[name]):
        return Missing(f"{label}: this {name} is called in a way that is not known")
    if any(isinstance(value, Summary) for value in (*values, trace.nodes.value[node])):
        return Missing(
            f"{label}: only a summary of its operands is kept", "record with --values all"
        )
    return LayerOpens(trace, text, operands, results)


def _array(value: Known) -> np.ndarray:
    return np.asarray(value)
