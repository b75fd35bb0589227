"""What an entry of the catalogue tells about itself is true: symbols, parts, examples, forms."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Mapping
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sympy

from backprop_engine import catalogue
from backprop_engine.basics.source import ScenarioError, Source
from backprop_engine.basics.values import Value, evaluate, in_full, kept, settle, unbroadcast
from backprop_engine.catalogue import BINARY, FUNCTIONS, GROUPS, INVERT, OPERATIONS
from backprop_engine.checking.differences import finite_differences
from backprop_engine.mathematics.text import text_of
from backprop_engine.operation import Kind, Operation
from backprop_engine.reading.explain import explain
from backprop_engine.run.record import record
from backprop_engine.run.tape import graph_of
from backprop_engine.scenarios.loader import parse_shorthand
from backprop_engine.trace import Trace

POINTS = ((0.3, 0.6, 0.7), (0.75, 0.25, 0.4), (-0.6, 1.5, 0.2), (1.75, -2.5, 1.2), (4.0, 3.0, -0.5))
"""Three operands; no kink and no tie is among them."""

MORE_ATTRIBUTES: Mapping[str, tuple[dict[str, Any], ...]] = {
    "gelu": ({"approximate": "none"}, {"approximate": "tanh"}),
    "logit": ({"eps": None}, {"eps": 0.35}),
    "softplus": ({"beta": 1.0, "threshold": 20.0}, {"beta": 2.0, "threshold": 1.0}),
    "clamp": ({"min": -0.5, "max": 2.0}, {"min": None, "max": 0.5}, {"min": 0.5, "max": None}),
    "threshold": ({"threshold": 0.5, "value": 3.0},),
    "add.alpha": ({"alpha": 2.0},),
    "sub.alpha": ({"alpha": 2.0},),
    "celu": ({"alpha": 1.0}, {"alpha": 0.5}),
    "div.mode": ({"rounding_mode": "trunc"}, {"rounding_mode": "floor"}),
    "round": ({"decimals": None}, {"decimals": 1}, {"decimals": -1}),
    "special.round": ({"decimals": 0}, {"decimals": 1}),
}
"""Where the defaults do not say all."""


def attributes_of(operation: Operation) -> tuple[dict[str, Any], ...]:
    defaults = {
        parameter.name: parameter.default
        for parameter in operation.spelling.parameters
        if parameter.kind not in (Kind.OPERAND, Kind.OPERANDS) and not parameter.is_ignored
    }
    return MORE_ATTRIBUTES.get(operation.name, (defaults,))


def cases(field: str) -> list[Any]:
    return [
        pytest.param(
            operation, attributes, id="-".join([operation.name, *map(str, attributes.values())])
        )
        for operation in OPERATIONS.values()
        if attrgetter(field)(operation)
        for attributes in attributes_of(operation)
        if operation.elementwise
    ]


def trace_of(text: str) -> Trace:
    return record(parse_shorthand(Source("<-e>", text)))


def operands_at(operation: Operation, point: tuple[float, ...]) -> list[Any]:
    count = sum(parameter.kind is Kind.OPERAND for parameter in operation.spelling.parameters)
    operands: list[Any] = list(point[:count])
    if operation.name == "where":
        operands[0] = operands[0] > 0
    if operation.name.startswith(("bitwise", "logical")):
        operands = [operand > 0 for operand in operands]
    return operands


def computed(
    operation: Operation, operands: list[Any], attributes: Mapping[str, Any]
) -> tuple[Value, list[Value]]:
    """Our value, and our derivative by each operand that is a number."""
    with np.errstate(all="ignore"):
        value = settle(evaluate(operation.forward, operands, attributes), "float64")
        slopes = [
            settle(operation.send(at, 1.0, value, operands, attributes), "float64")
            for at in range(len(operation.derivatives))
            if type(operands[at]) is float
        ]
    return value, slopes


def symbolic_number(expression: Any, at: Mapping[Any, float]) -> float:
    number = complex(sympy.sympify(expression).subs(at).evalf(20))
    return number.real if abs(number.imag) < 1e-15 else np.nan


def symbolic_derivative(expression: Any, symbol: Any) -> Any:
    """The derivative between kinks and jumps, where a sign and a whole number are constants."""
    smooth = expression.replace(sympy.Abs, lambda u: u * sympy.sign(u))
    steps = smooth.atoms(sympy.floor, sympy.ceiling, sympy.sign)
    constants = {step: sympy.Dummy(real=True) for step in steps}
    derivative = sympy.diff(smooth.xreplace(constants), symbol)
    return derivative.xreplace({constant: one for one, constant in constants.items()})


@pytest.mark.parametrize(("operation", "attributes"), cases("twins.symbolic"))
def test_the_symbolic_form_has_the_same_value_and_the_same_derivatives(operation, attributes):
    for point in POINTS:
        operands = operands_at(operation, point)
        value, slopes = computed(operation, operands, attributes)
        symbols = [
            sympy.Symbol(f"x{at}", real=True) if type(one) is float else sympy.sympify(one)
            for at, one in enumerate(operands)
        ]
        expression = operation.twins.symbolic(sympy, *symbols, **attributes)
        at = {
            symbol: sympy.Float(one, 20)
            for symbol, one in zip(symbols, operands, strict=True)
            if type(one) is float
        }
        if isinstance(value, bool):
            assert bool(expression.subs(at)) is value
            continue
        assert symbolic_number(expression, at) == pytest.approx(value, rel=1e-12, nan_ok=True)
        if not np.isfinite(value) or not operation.differentiable:
            continue  # beyond its domain torch's slope means nothing, and `detach` has none
        precision = 1e-11 + operation.slope_error
        for symbol, slope in zip(at, slopes, strict=True):
            derivative = symbolic_number(symbolic_derivative(expression, symbol), at)
            assert derivative == pytest.approx(slope, rel=precision, abs=1e-15)


@pytest.mark.parametrize(("operation", "attributes"), cases("description.composite"))
def test_the_parts_give_the_same_value_and_the_same_gradients(operation, attributes):
    inside = []
    for point in POINTS:
        operands = operands_at(operation, point)
        if np.isfinite(computed(operation, operands, attributes)[0]):
            inside.append(operands)
            assert_parts_agree(operation, operands, attributes)
    assert inside
    columns = [list(one) for one in zip(*inside, strict=True)]
    if operation.name == "prelu":
        columns[1] = [0.25]
    assert_parts_agree(operation, columns, attributes)


@pytest.mark.parametrize(
    ("operands", "dim"), [([[1.0, 2.0, 0.5, -1.0]], -1), ([[[1.0, 2.0], [0.5, -1.0]]], 0)]
)
def test_the_parts_of_glu_are_a_value_and_its_gate(operands, dim):
    assert_parts_agree(OPERATIONS["glu"], operands, {"dim": dim})


@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 2)])
def test_the_parts_of_prelu_have_a_weight_for_each_channel(shape):
    values = np.linspace(-1, 2, int(np.prod(shape))).reshape(shape)
    assert_parts_agree(OPERATIONS["prelu"], [values.tolist(), [0.1, 0.2, 0.3]], {})


def assert_parts_agree(
    operation: Operation,
    operands: list[Any],
    attributes: Mapping[str, Any],
) -> None:
    shapes = tuple(np.shape(operand) for operand in operands)
    values = [np.asarray(operand, float) if np.ndim(operand) else operand for operand in operands]
    parts = operation.description.opened(values, attributes)
    inputs = ", ".join(f"{name}={one}" for name, one in zip("abc", operands, strict=False))
    total = "y.sum()" if any(shapes) else "y"
    trace = trace_of(f"{inputs}, y={parts}, total={total}")
    with np.errstate(all="ignore"):
        value = settle(evaluate(operation.forward, values, attributes), "float64")
    opened = graph_of(trace).value[trace.assigned["y"]]
    np.testing.assert_allclose(opened, value, rtol=1e-12, atol=1e-15)
    seed = np.ones_like(value) if np.ndim(value) else 1.0
    from_parts = trace.passes[-1].grads or {}
    precision = 1e-11 + operation.slope_error
    for at, name in zip(range(len(operation.derivatives)), "abc", strict=False):
        sent = operation.send(at, seed, value, values, attributes)
        grad = kept(from_parts[graph_of(trace).inputs[name]])
        if grad is None:  # no part differentiates by it, as none by what copysign takes a sign of
            grad = np.zeros(shapes[at])
        np.testing.assert_allclose(
            grad, unbroadcast(in_full(sent), shapes[at]), rtol=precision, atol=1e-14
        )


EXAMPLES = [one for group in list(GROUPS.values()) for one in group if one.description.example]


@pytest.mark.parametrize("operation", EXAMPLES, ids=lambda one: one.name)
def test_the_example_runs_uses_the_operation_and_finite_differences_agree(operation):
    trace = trace_of(operation.description.example)
    assert operation.name in {one.name for one in graph_of(trace).operation if one}
    checked = finite_differences(trace)
    assert checked
    for one in checked.values():
        assert one.agrees, (operation.description.example, one)


def test_every_elementwise_operation_has_an_example():
    assert [
        name for name, one in OPERATIONS.items() if one.elementwise and not one.description.example
    ] == []


def test_every_operation_stands_in_one_group_and_names_are_used_once():
    names = [one.name for group in GROUPS.values() for one in group]
    assert len(names) == len(set(names)) == len(OPERATIONS)


@pytest.mark.parametrize(
    ("alias", "name"),
    [
        ("arcsin", "asin"), ("arctan2", "atan2"), ("arccosh", "acosh"), ("expit", "sigmoid"),
        ("greater", "gt"), ("less_equal", "le"), ("not_equal", "ne"), ("fix", "trunc"),
        ("float_power", "pow"), ("multiply", "mul"), ("absolute", "abs"), ("double", "float"),
    ],
)  # fmt: skip
def test_torchs_other_names_reach_the_same_operation(alias, name):
    assert FUNCTIONS[alias] == (OPERATIONS[name],)


def test_comparisons_and_masks_have_their_operators():
    symbols = {">": "gt", "<": "lt", ">=": "ge", "<=": "le", "==": "eq", "!=": "ne"}
    for symbol, name in {
        **symbols,
        "&": "bitwise_and",
        "|": "bitwise_or",
        "%": "remainder",
    }.items():
        assert BINARY[symbol] is OPERATIONS[name]
    assert INVERT is BINARY["~"] is OPERATIONS["bitwise_not"]


@pytest.mark.parametrize(
    ("call", "name", "expected"),
    [
        ("clamp(x, 0, 1)", "clamp", [0.0, 0.5, 1.0]),
        ("clip(x, max=1)", "clamp", [-2.0, 0.5, 1.0]),
        ("x.clamp(min=low)", "clamp.tensor", [-1.0, 0.5, 3.0]),
        ("clamp(x, low, None)", "clamp.tensor", [-1.0, 0.5, 3.0]),
        ("clamp(x, max=low)", "clamp.tensor", [-2.0, -1.0, -1.0]),
        ("clamp(x, low, -low)", "clamp.tensor", [-1.0, 0.5, 1.0]),
        ("where(x.gt(0), x, 0)", "where", [0.0, 0.5, 3.0]),
        ("x.where(x.gt(0), low)", "where", [-1.0, 0.5, 3.0]),
        ("F.leaky_relu(x * 1, 0.5, inplace=True)", "leaky_relu", [-1.0, 0.5, 3.0]),
        ("F.hardtanh(x, min_val=-1, max_val=2)", "hardtanh", [-1.0, 0.5, 2.0]),
        ("torch.lerp(x, low, 0.5)", "lerp", [-1.5, -0.25, 1.0]),
        ("torch.addcmul(x, x, low, value=2)", "addcmul", [2.0, -0.5, -3.0]),
        ("torch.add(x, low, alpha=2)", "add.alpha", [-4.0, -1.5, 1.0]),
        ("torch.max(x, low)", "maximum", [-1.0, 0.5, 3.0]),
        ("x.remainder(2)", "remainder", [0.0, 0.5, 1.0]),
        ("torch.special.xlogy(0, x)", "xlogy", [0.0, 0.0, 0.0]),
    ],
)
def test_a_call_as_torch_spells_it_finds_its_form(call, name, expected):
    trace = trace_of(f"x=[-2, 0.5, 3], low=-1, y={call}.sum()")
    (node,) = (at for at, one in enumerate(graph_of(trace).operation) if one is OPERATIONS[name])
    np.testing.assert_allclose(graph_of(trace).value[node], expected)


def test_a_call_without_bounds_says_what_is_missing():
    with pytest.raises(ScenarioError, match="`clamp` needs `min`, `max` or both"):
        trace_of("x=2, y=clamp(x)")


def test_the_same_value_handed_on_keeps_the_grad_fn_it_had():
    trace = trace_of("x=2, y=positive(exp(x).contiguous()), z=positive(x)*y")
    graph = graph_of(trace)
    assert graph.grad_fn(trace.assigned["y"]) == "ExpBackward0"
    assert [graph.grad_fn(node) for node in range(1, 5)] == ["ExpBackward0"] * 3 + [""]


def test_attributes_are_told_as_numbers_are_written():
    told = explain(trace_of("x=0.5, y=softplus(x, beta=2)"), 0)
    assert text_of(told.algebra) == "log(1 + exp(2·x))/2"


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_mask_multiplies_and_chooses(dtype):
    for pair in itertools.product((-1.0, 2.0), repeat=2):
        trace = trace_of(f"x={list(pair)}, y=(x * gt(x, 0)).sum() + where(x.lt(0), 0, x).sum()")
        assert graph_of(trace).value[trace.assigned["y"]] == 2 * sum(one for one in pair if one > 0)


def test_whatever_the_catalogue_refuses_it_says_how_to_put_right():
    for path in Path(catalogue.__file__).parent.rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(call, ast.Call) and ast.unparse(call.func) == "OperandError":
                assert len(call.args) + len(call.keywords) == 2, f"{path.name}:{call.lineno}"
