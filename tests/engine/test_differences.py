"""Finite differences as an oracle: right where a function is smooth, silent where it is not."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.thorough import share

from backprop_engine import catalogue
from backprop_engine.basics.source import Source
from backprop_engine.catalogue import OPERATIONS
from backprop_engine.checking import differences, tape
from backprop_engine.checking.differences import FiniteDifference, finite_differences
from backprop_engine.checking.doubts import LAST_DIGITS
from backprop_engine.checking.richardson import KINK, NOT_FINITE, NOT_FINITE_BESIDE, TOO_COARSE
from backprop_engine.run.record import record
from backprop_engine.run.tape import graph_of
from backprop_engine.scenarios.loader import parse_document, parse_shorthand
from backprop_engine.trace import Trace


def document(text: str) -> Trace:
    return record(parse_document(Source("test.yaml", text)))


def found_in(trace: Trace) -> dict[str, FiniteDifference]:
    return {trace.label(node): one for node, one in finite_differences(trace).items()}


def of(text: str) -> FiniteDifference:
    return found_in(record(parse_shorthand(Source("<-e>", text))))["x"]


@pytest.mark.parametrize(
    ("text", "gradient"),
    [
        ("x=2, y=x**2+3x+1", 7),
        ("x=3, y=x**3", 27),
        ("x=1, y=x**4 - x**2", 2),
        ("x=0, y=x**2", 0),
        ("x=-5, y=7", None),
    ],
)
def test_polynomials_at_simple_points_come_out_exact(text, gradient):
    if gradient is None:
        trace = document("inputs: {x: 1, z: 2}\ncompute: y = 3z\n")
        assert found_in(trace)["x"].gradient is None
        assert found_in(trace)["x"].agrees
    else:
        assert of(text).gradient == gradient


@pytest.mark.parametrize(
    ("text", "gradient"),
    [
        ("x=0.7, y=sin(x)", math.cos(0.7)),
        ("x=1e-8, y=log(x)", 1e8),
        ("x=1e10, y=x*x", 2e10),
        ("x=1e-7, y=relu(x)", 1.0),
        ("x=1, y=sin(1000x)", 1000 * math.cos(1000)),
        ("x=700, y=exp(x)", math.exp(700)),
        ("x=0.001, y=1/x", -1e6),
        ("x=2, y=abs(x - 1.999)", 1.0),
    ],
)
def test_the_step_suits_the_function(text, gradient):
    found = of(text)
    assert found.gradient == pytest.approx(gradient, rel=1e-7)
    assert found.agrees


@pytest.mark.parametrize("text", ["x=0, y=relu(x)", "x=0, y=abs(x)+x", "x=1, y=relu(x-1)**1"])
def test_a_kink_is_skipped_with_the_reason(text):
    found = of(text)
    assert (found.gradient, found.skipped, found.reason) == (None, 1, KINK)
    assert found.agrees, "nothing has been held against the engine"


@pytest.mark.parametrize("text", ["x=0, y=1/x", "x=-1, y=log(x)", "x=0, y=log(x)"])
def test_a_point_that_is_not_finite_is_skipped(text):
    assert of(text).reason == NOT_FINITE


def test_a_point_at_the_edge_of_what_is_defined_is_skipped():
    assert of("x=0, y=sqrt(x)").reason == NOT_FINITE_BESIDE


@pytest.mark.parametrize(
    ("text", "name", "skipped"),
    [
        ("z=[0, 1], x=[0, 0.5], y=binary_cross_entropy(x, z.detach())", "binary_cross_entropy", 1),
        ("z=1, x=1, y=binary_cross_entropy(x, z.detach())", "binary_cross_entropy", 1),
        (
            "x=1.0000000000000002, y=cholesky([[1, 1], [1, 0]] + x*[[0, 0], [0, 1]]).sum()",
            "cholesky",
            1,
        ),
    ],
)
def test_where_a_domain_ends_beside_the_point_is_skipped_with_the_operation(text, name, skipped):
    found = of(text)
    reason = f"a step of finite differences leaves the domain of `{name}`"
    assert (found.skipped, found.reason, found.agrees) == (skipped, reason, True)


def test_directions_end_with_the_domain_too():
    text = "inputs: {x: {zeros: [1001]}}\ncompute: y = binary_cross_entropy(x, zeros(1001))\n"
    (found,) = finite_differences(document(text)).values()
    reason = "a step of finite differences leaves the domain of `binary_cross_entropy`"
    assert (found.skipped, found.reason, found.agrees) == (differences.DIRECTIONS, reason, True)


def test_a_step_onto_a_singular_matrix_is_passed_over():
    found = of("x=[[1, 2, 3], [0, 1, 4], [5, 6, 0]], y=inv(x).sum()")
    assert (found.skipped, found.agrees) == (0, True)


def test_close_to_the_end_of_a_domain_steps_are_smaller():
    text = "z=[1, 0], x=[0.9999999, 1e-7], y=binary_cross_entropy(x, z.detach())"
    found = of(text)
    assert (found.skipped, found.agrees) == (0, True)
    np.testing.assert_allclose(found.gradient, [-0.50000005, 0.50000005], rtol=1e-6)


def test_only_the_elements_at_kinks_are_skipped():
    found = of("x=[0, 1, -2], y=abs(x).sum()")
    np.testing.assert_array_equal(found.gradient, [math.nan, 1, -1])
    assert (found.skipped, found.agrees) == (1, True)


def test_accumulated_passes_and_seeds_are_summed_as_in_grad():
    text = (
        "inputs: {x: [1, 2]}\ncompute: |\n  y = x*x\n  z = y.sum()\n"
        "backward: [z, zero_grad, {of: y, gradient: [1, 10]}, z]\n"
    )
    np.testing.assert_allclose(found_in(document(text))["x"].gradient, [4, 44])


def test_each_input_is_summed_since_it_was_zeroed_itself():
    text = 'inputs: {x: 3, b: 1}\ncompute: y = x*b\nbackward: [y, "x.grad.zero_()", y]\n'
    found = found_in(document(text))
    assert (found["x"].gradient, found["b"].gradient) == (1, 6)
    assert found["x"].agrees
    assert found["b"].agrees


def test_after_zero_grad_alone_there_is_nothing_to_compare():
    found = found_in(document("inputs: {x: 3}\ncompute: y = x*x\nbackward: [y, zero_grad]\n"))
    assert (found["x"].gradient, found["x"].agrees, found["x"].skipped) == (None, True, 0)


def test_float32_is_evaluated_in_float64():
    text = "dtype: float32\ninputs: {x: 0.1, w: [0.3, 0.7]}\ncompute: y = tanh(x*w).mean()\n"
    found = found_in(document(text))
    x = float(np.float32(0.1))
    w = np.array([0.3, 0.7], np.float32).astype(float)
    exact = float(np.mean(w * (1 - np.tanh(x * w) ** 2)))
    assert found["x"].gradient == pytest.approx(exact, rel=1e-10)
    assert all(one.agrees for one in found.values())


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_saturated_sigmoid_is_no_reason_to_cry_wolf(dtype):
    found = found_in(document(f"dtype: {dtype}\ninputs: {{x: 14}}\ncompute: y = sigmoid(x)\n"))
    assert found["x"].gradient == pytest.approx(math.exp(-14), rel=1e-5)
    assert found["x"].agrees


FLOAT32 = {
    "a saturated tanh": "inputs: {x: [4.2, -5.1, 3.9]}\ncompute: y = (tanh(x) * x).mean()\n",
    "terms that cancel in a layer": (
        "inputs: {x: [[1.2, 0.25, 0.1], [-2.3, 0.7, -2.3]]}\n"
        "compute: y = (2*F.layer_norm(x, (3,))).sum()\n"
    ),
    "a distance of nothing": (
        "inputs: {x: [[-1.5, 3, 2], [0.7, 2, 1.2]]}\n"
        "compute: y = (F.kl_div(log_softmax(x, 1), softmax(x, 1)) ** 2).sum()\n"
    ),
    "many of them at once": (
        "inputs: {x: {normal: [600, 2], seed: 1}}\n"
        "compute: y = (F.layer_norm(x, (2,)) * tanh(9*x)).sum()\n"
    ),
}


@pytest.mark.parametrize("point", [-3, -2, 1.5])
@pytest.mark.parametrize("given", ["x, b, x", "x, x, b", "b, x, x", "x, x, x"])
def test_an_operand_that_is_its_own_bound_moves_in_float64_too(point, given):
    text = f"dtype: float32\ninputs: {{x: {point}, b: {{value: -2, requires_grad: false}}}}\n"
    found = found_in(document(f"{text}compute: y = clamp({given})\n"))["x"]
    assert found.agrees
    assert found.gradient in (0, 1, None)
    assert found.gradient is not None or point == -2


@pytest.mark.parametrize("text", FLOAT32.values(), ids=list(FLOAT32))
def test_what_float32_has_no_digits_for_is_no_fault(text):
    assert found_in(document(f"dtype: float32\n{text}"))["x"].agrees


@pytest.mark.parametrize("text", FLOAT32.values(), ids=list(FLOAT32))
def test_a_wrong_derivative_is_caught_there_all_the_same(monkeypatch, text):
    for name in ("tanh", "layer_norm", "kl_div"):
        entry = OPERATIONS[name]
        first, *others = entry.derivatives
        wrong = dataclasses.replace(first, rule=lambda *a, _of=first.rule, **k: 0.1 + _of(*a, **k))
        changed = dataclasses.replace(entry, derivatives=(wrong, *others))
        monkeypatch.setitem(catalogue.FUNCTIONS, name, (changed,))
    assert not found_in(document(f"dtype: float32\n{text}"))["x"].agrees


LOG_SUM = "inputs: {a: 0.5, x: [%s, %s, 88]}\ncompute: y = logsumexp(x*a, dim=0)\n"


@pytest.mark.parametrize(("size", "reason"), [("1e20", LAST_DIGITS), ("2", "")])
def test_a_gradient_that_hangs_on_a_last_digit_is_measured_no_more(size, reason):
    found = found_in(document(LOG_SUM % (size, size)))["a"]
    assert (found.agrees, found.reason) == (True, reason)


def test_a_wrong_derivative_is_caught_where_last_digits_do_not_matter(monkeypatch):
    entry = OPERATIONS["logsumexp"]
    (right,) = entry.derivatives
    wrong = dataclasses.replace(right, rule=lambda *a, **k: 2 * right.rule(*a, **k))
    changed = dataclasses.replace(entry, derivatives=(wrong,))
    monkeypatch.setitem(catalogue.FUNCTIONS, "logsumexp", (changed,))
    assert not found_in(document(LOG_SUM % (2, 2)))["a"].agrees


@pytest.mark.parametrize("factor", [1.001, 0.5, -1.0, math.nan])
def test_a_wrong_derivative_is_caught(monkeypatch, factor):
    entry = OPERATIONS["sin"]
    rule = entry.derivatives[0].rule
    wrong = type(entry.derivatives[0])(rule=lambda g, y, a: factor * rule(g, y, a), local="?")
    monkeypatch.setitem(
        catalogue.FUNCTIONS, "sin", (dataclasses.replace(entry, derivatives=(wrong,)),)
    )
    assert not of("x=0.7, y=sin(x)*3").agrees
    assert not of("x=[0.7, 1], y=(sin(x)*3).sum()").agrees


def large(expression: str) -> Trace:
    return document(
        "inputs:\n  X: {normal: [30, 40], seed: 1}\n  W: {normal: [40, 50], seed: 2}\n"
        f"  b: {{normal: [50], seed: 3}}\ncompute: L = {expression}\n"
    )


def test_large_inputs_are_tested_along_random_directions():
    found = found_in(large("tanh(X @ W + b).mean()"))
    assert found["X"].gradient is None
    assert len(found["X"].directions) == differences.DIRECTIONS
    assert found["b"].gradient.shape == (50,), "small ones still element by element"
    assert all(one.agrees for one in found.values())
    assert all(abs(direction.engine) > 1e-6 for direction in found["X"].directions)


def test_an_input_that_no_pass_reaches_takes_no_part_in_directions():
    sizes = "A: {normal: [40, 40], seed: 1}, B: {normal: [40, 40], seed: 2}"
    trace = document(f"inputs: {{{sizes}}}\ncompute: |\n  z = B.sum()\n  y = (A*A).sum()\n")
    reached, unreached = found_in(trace).values()
    assert (len(reached.directions), reached.agrees) == (differences.DIRECTIONS, True)
    assert (unreached.gradient, unreached.directions, unreached.skipped) == (None, (), 0)
    assert unreached.agrees


def test_a_wrong_derivative_is_caught_along_directions_too(monkeypatch):
    entry = OPERATIONS["tanh"]
    wrong = type(entry.derivatives[0])(rule=lambda g, y, a: g * (1 - y), local="?")
    monkeypatch.setitem(
        catalogue.FUNCTIONS, "tanh", (dataclasses.replace(entry, derivatives=(wrong,)),)
    )
    found = found_in(large("tanh(X @ W + b).mean()"))
    assert not any(one.agrees for one in found.values())


def test_many_scalar_inputs_over_a_long_tape_are_moved_together(monkeypatch):
    monkeypatch.setattr(differences, "WORK_LIMIT", 1000)
    names = [f"x{at}" for at in range(60)]
    text = "inputs:\n" + "".join(f"  {name}: {at % 7}\n" for at, name in enumerate(names))
    text += "compute: y = " + " + ".join(f"{name}*{name}" for name in names) + "\n"
    found = found_in(document(text))
    assert any(one.directions for one in found.values())
    assert any(one.gradient is not None for one in found.values())
    assert all(one.agrees for one in found.values())


# The budget of time


class CountingClock:
    """A clock by which each look at it takes a second."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        self.now += 1
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> CountingClock:
    stopped = CountingClock()
    monkeypatch.setattr(tape, "time", stopped)
    return stopped


def test_what_the_time_does_not_suffice_for_is_skipped_with_the_reason(clock):
    trace = record(parse_shorthand(Source("<-e>", "x=[1,2,3,4], y=sum(sin(x))")))
    finite_differences(trace, seconds=1e9)
    seconds, clock.now = clock.now // 2, 0.0
    (found,) = finite_differences(trace, seconds=seconds).values()
    done = 4 - found.skipped
    assert 0 < done < 4
    assert found.reason == f"not within {seconds:g} s"
    assert found.agrees
    np.testing.assert_allclose(found.gradient[:done], np.cos([1, 2, 3, 4])[:done])
    assert np.isnan(found.gradient[done:]).all()
    assert clock.now < seconds + 5


def test_what_would_explain_a_difference_may_come_too_late_and_that_is_no_alarm(clock):
    trace = document(
        "dtype: float32\n"
        "inputs: {x: [[[0.7, 3, 2], [0.25, 2, 0.1]], [[-0.75, 1.2, -2.3], [1, 0.5, 0.1]]]}\n"
        "compute: |\n  n = batch_norm(erf(x * 2), training=True)\n"
        "  y = n.sum() + group_norm(x, 1).sum()\n"
    )
    (in_time,) = finite_differences(trace, seconds=1e9).values()
    assert (in_time.agrees, in_time.skipped) == (True, 0)
    ticks, clock.now = clock.now, 0.0
    for part in range(1, 40, share(4, 1)):
        seconds, clock.now = ticks * part / 40, 0.0
        (found,) = finite_differences(trace, seconds=seconds).values()
        assert found.agrees, part


@pytest.mark.parametrize("part", [0.0, 0.5, 1.1])
def test_directions_are_tested_as_far_as_the_time_suffices(clock, part):
    trace = document("inputs: {X: {normal: [30, 40]}}\ncompute: L = tanh(X).mean()\n")
    finite_differences(trace, seconds=1e9)
    seconds, clock.now = part * clock.now, 0.0
    (found,) = finite_differences(trace, seconds=seconds).values()
    assert len(found.directions) == int(part * differences.DIRECTIONS)
    assert found.skipped == differences.DIRECTIONS - len(found.directions)
    assert found.reason == (f"not within {seconds:g} s" if found.skipped else "")
    assert found.agrees


def test_an_input_is_asked_for_what_it_leads_to_and_not_for_the_whole_graph(monkeypatch):
    count = 3_000
    text = "inputs:\n" + "".join(f"  x{at}: 1\n" for at in range(count))
    text += "compute: y = " + " + ".join(f"x{at}" for at in range(count)) + "\n"
    trace = document(text)
    looks = []
    consumers = Trace.consumers
    monkeypatch.setattr(Trace, "consumers", lambda *a: looks.append(a) or consumers(*a))
    found = finite_differences(trace)
    assert len(found) == count
    assert len(looks) < 2 * differences.WORK_LIMIT


def test_values_are_left_behind_as_they_were():
    trace = document("inputs: {x: 2, z: 3}\ncompute: |\n  a = x*x\n  b = z*a\n  y = a*b\n")
    found = found_in(trace)
    assert (found["x"].gradient, found["z"].gradient) == (96, 16)
    assert graph_of(trace).value == [2.0, 3.0, 4.0, 12.0, 48.0]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.floats(-3, 3),
    st.lists(
        st.sampled_from(
            ["sin({})", "tanh({})", "exp({})/9", "{}**2", "sigmoid({})", "x*{}", "1-{}"]
        ),
        min_size=1,
        max_size=6,
    ),
)
def test_random_smooth_compositions_agree_with_the_engine(x, layers):
    assume(abs(x) > 1e-3)
    expression = "x"
    for layer in layers:
        expression = layer.format(f"({expression})")
    trace = record(parse_shorthand(Source("<-e>", f"x={x!r}, y={expression} + 0x")))
    assume(abs(graph_of(trace).value[trace.assigned["y"]]) < 1e6)
    (found,) = finite_differences(trace).values()
    assert found.agrees
    assert found.gradient is not None, found.reason


@pytest.mark.parametrize(
    ("text", "gradient"),
    [
        ("x=-3, y=1-tanh(1-x)", 1 / math.cosh(4) ** 2),
        ("x=2, y=floor(x/4)", 0),
        ("x=1e-12, y=floor(x)", 0),
        ("x=[3,-0.5], y=torch.cat([x,x]).sgn().sum()", [0, 0]),
        ("x=3, y=sigmoid(1-exp(x**4))", 0),
    ],
)
def test_what_cancels_and_what_is_constant_is_judged(text, gradient):
    found = of(text)
    assert (found.skipped, found.agrees) == (0, True)
    assert found.gradient == pytest.approx(gradient, rel=1e-9)


@pytest.mark.parametrize(
    ("text", "gradient"),
    [
        ("x=300000.0, y=sin(x + 1.97)", math.cos(300001.97)),
        ("x=300000.5, y=floor(x)", None),
        ("x=300000.0, y=floor(x)", None),
    ],
)
def test_what_a_large_variable_steps_over_is_looked_for_closer_by(text, gradient):
    found = found_in(record(parse_shorthand(Source("<-e>", text))))["x"]
    assert found.agrees
    assert found.gradient == (gradient and pytest.approx(gradient, rel=1e-9))


@pytest.mark.parametrize("text", ["x=-1e20, y=cos(x)", "x=1e20, y=tan(x)", "x=3e38, y=x%7"])
def test_what_changes_between_neighbouring_numbers_has_no_slope(text):
    found = of(text)
    assert found.skipped == 1
    assert found.reason == TOO_COARSE


@pytest.mark.parametrize("x", [1e-45, 2e-38, -1e-300])
def test_rounding_is_that_of_the_terms_at_the_step_too(x):
    found = of(f"x={x}, y=x**2")
    assert found.agrees


def test_a_kink_that_noise_hides_from_close_by_is_still_one():
    found = of("z=300000.0, x=0, y=(z+x)-relu(x)")
    assert (found.skipped, found.reason) == (1, KINK)
    assert found.agrees


@pytest.mark.parametrize(
    ("compute", "gradient"),
    [
        ("y = x**2 * (x**2).detach()", 54),
        ("y = (x * x.detach()).detach() * x", 9),
        ("with no_grad:\n    s = x**2\n  y = s * x", 9),
        ("with no_grad:\n    s = x**2\n    t = s * x\n  y = t + x", 1),
    ],
)
def test_what_is_detached_or_computed_inside_of_no_grad_is_held_at_its_recorded_value(
    compute, gradient
):
    trace = document(f"inputs: {{x: 3}}\ncompute: |\n  {compute}\n")
    assert found_in(trace)["x"].gradient == pytest.approx(gradient, rel=1e-9)
    assert found_in(trace)["x"].agrees


def test_a_grad_that_was_set_to_none_counts_only_the_passes_after_it():
    trace = document(
        "compute: |\n  x = torch.tensor(3., requires_grad=True)\n  y = x**2\n"
        "  y.backward(retain_graph=True)\n  x.grad = None\n  y.backward()\n"
    )
    assert found_in(trace)["x"].gradient == pytest.approx(6, rel=1e-9)
    assert found_in(trace)["x"].agrees


def test_an_element_that_is_nan_does_not_condemn_the_others():
    one = of("x=[0,4], y=sum(sqrt(x)*[0,1])")
    assert one.agrees
    assert one.skipped == 1
    assert one.gradient[1] == pytest.approx(0.25)
    assert np.all(np.isfinite(one.tolerance[1]))


def test_a_long_chain_of_sums_of_equal_terms_is_no_kink():
    loop = "  for i in range(15000):\n    h = h + 0.3*x\n"
    trace = document(f"inputs: {{x: 0.3}}\ncompute: |\n  h = 1*x\n{loop}")
    found = found_in(trace)["x"]
    assert (found.skipped, found.agrees) == (0, True)
    slope_of_all = (trace.passes[-1].grads or {})[graph_of(trace).inputs["x"]]
    assert found.gradient == pytest.approx(slope_of_all, rel=1e-6, abs=1e-6)


def test_terms_that_are_all_nothing_here_are_measured_a_step_away():
    found = of("x=0, b=stack([x, 0*x, 0*x]), y=sum(b - mean(b))")
    assert (found.skipped, found.agrees) == (0, True)
