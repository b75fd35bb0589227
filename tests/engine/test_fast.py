"""The short way for numbers comes to what the general way comes to, bit for bit."""

import struct

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from backprop_engine.backward import backward
from backprop_engine.basics.source import Source
from backprop_engine.catalogue import OPERATIONS
from backprop_engine.graph import NO_ATTRIBUTES, Graph
from backprop_engine.other_values import with_leaves
from backprop_engine.run.record import record
from backprop_engine.run.tape import graph_of
from backprop_engine.scenarios.loader import parse_document

UNARY = [OPERATIONS[name] for name in ("neg", "exp", "log", "relu", "tanh", "detach", "sqrt")]
BINARY = [OPERATIONS[name] for name in ("add", "sub", "mul", "div", "pow", "maximum", "gt")]
NUMBERS = st.sampled_from([0.0, -0.0, 1.0, -2.0, 0.5, 3.0, 1e308, -1e-308, np.inf, np.nan])
LEAVES = st.lists(st.tuples(NUMBERS, st.booleans()), min_size=1, max_size=4)
STEPS = st.lists(
    st.tuples(st.sampled_from([*UNARY, *BINARY]), st.integers(0), st.integers(0)), max_size=30
)


class GeneralGraph(Graph):
    """A tape that has no short way."""

    def apply(self, operation, operands, attributes=NO_ATTRIBUTES, span=None):
        if operation.form_for is not None:
            operation = operation.form_for(tuple(bool(self.is_number[n]) for n in operands))
        return self.apply_to_any(operation, operands, attributes)


def built(graph, leaves, steps):
    """The random program on a tape: each step takes values that were made before."""
    for at, (value, is_input) in enumerate(leaves):
        if is_input:
            graph.add_input(f"x{at}", value, requires_grad=True)
        else:
            graph.add_constant(value)
    for operation, *picks in steps:
        operands = tuple(pick % len(graph) for pick in picks)
        if not all(type(graph.value[node]) is float for node in operands):
            operands = tuple(0 for _ in operands)
        graph.apply(operation, operands[:1] if operation in UNARY else operands)
    return graph


def bits(values):
    """Values that are equal only if every bit is, with their types; a nan has no sign."""
    return [
        struct.pack("d", value)
        if type(value) is float and value == value
        else (type(value), repr(value))
        for value in values
    ]


@given(LEAVES, STEPS, NUMBERS)
@np.errstate(all="ignore")
def test_numbers_go_the_short_way_to_the_same_bits(leaves, steps, other):
    fast, general = built(Graph(), leaves, steps), built(GeneralGraph(), leaves, steps)
    assert not any(kind.rules for kind in general.kind)
    assert bits(fast.value) == bits(general.value)
    for column in ("operation", "operands", "requires_grad", "is_number", "span"):
        assert list(getattr(fast, column)) == list(getattr(general, column))

    changed = dict.fromkeys(fast.inputs.values(), other)
    assert bits(with_leaves(fast, changed).value) == bits(with_leaves(general, changed).value)

    for output in range(len(fast)):
        if fast.requires_grad[output]:
            short, long = (backward(graph, output, 1.0) for graph in (fast, general))
            assert bits(short.contributions) == bits(long.contributions)
            assert bits(short.totals) == bits(long.totals)
            assert bits(short.gradient) == bits(long.gradient)
            np.testing.assert_array_equal(short.edges, long.edges)


def test_how_many_operands_nodes_have_is_not_how_many_are_sent_to():
    text = "inputs: {w: [1, 2], row: {value: [0, 1], dtype: int64}}\ncompute: y = w[row].sum()"
    graph = graph_of(record(parse_document(Source("rows.yaml", text))))
    counts, operands = graph.operand_columns
    assert graph.reach  # nothing is sent to an index
    assert counts.tolist() == list(map(len, graph.operands))
    assert operands.tolist() == [operand for node in graph.operands for operand in node]
