"""The paths of a gradient: counted, the largest listed, all of them summed."""

from __future__ import annotations

import math
from pathlib import Path as File

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backprop_engine.basics.source import Source
from backprop_engine.basics.values import norm_of
from backprop_engine.checking.compare import compare
from backprop_engine.reading.paths.edges import edges_to
from backprop_engine.reading.paths.origin import find_origin, share_of
from backprop_engine.run.record import record
from backprop_engine.run.tape import graph_of
from backprop_engine.scenarios.loader import load, parse_shorthand

SCENARIOS = File(__file__).parents[2] / "scenarios"


def traced(text):
    return record(parse_shorthand(Source("<-e>", text)))


def node_of(trace, name):
    return {**trace.assigned, **graph_of(trace).inputs}[name]


def origin_of(trace, name, **options):
    return find_origin(trace, trace.passes[1], node_of(trace, name), **options)


def labels(trace, origin, path):
    nodes = [origin.output, *(int(trace.receivers[step]) for step in path.steps)]
    return [trace.label(node) for node in nodes]


def all_paths(trace, target):
    """Every path to `target` and what it carries, one by one and in no clever way."""
    one = trace.passes[1]
    edges = edges_to(trace, one, target)
    pending = [((), edges.output, edges.seed)]
    while pending:
        steps, node, carried = pending.pop()
        if node == target:
            yield steps, carried
            continue
        pending += [
            ((*steps, step), edges.receiver(step), edges.send(step, carried))
            for step in edges.by_sender[node]
        ]


def close(a, b, terms):
    allowed = 64 * 2**-53 * (sum(map(norm_of, terms)) + 1e-300)
    return compare(a, b, allowed).agrees


# A first look


def test_a_gradient_is_told_as_products_of_local_derivatives_the_largest_first():
    trace = traced("x=2, y=x**2+3x+1")
    origin = origin_of(trace, "x")
    assert origin.count == 2
    assert [labels(trace, origin, path) for path in origin.paths] == [
        ["y", "%3", "%1", "x"],
        ["y", "%3", "%2", "x"],
    ]
    assert [list(path.factors) for path in origin.paths] == [[1, 1, 4], [1, 1, 3]]
    assert [path.carried for path in origin.paths] == [4, 3]
    assert [path.share for path in origin.paths] == [pytest.approx(4 / 7), pytest.approx(3 / 7)]
    assert origin.sum == origin.gradient == 7
    assert origin.rest == 0
    assert origin.rest_count == 0
    assert origin.is_ranked


def test_paths_go_through_each_value_of_what_changes_in_place():
    trace = traced("x=3; y=x*x; z=y; z += x; w=z*y")
    origin = origin_of(trace, "x")
    assert origin.sum == origin.gradient == 2 * (3**2 + 3) * (2 * 3 + 1)
    assert origin.count == 6
    assert {tuple(labels(trace, origin, path)) for path in origin.paths} == {
        ("w", "z@2", "y", "x"),
        ("w", "z@2", "x"),
    }
    array = traced("x=[1, 2]; y=x*2; v=y[0]; v *= x[1]; s=(y*y).sum()")
    np.testing.assert_allclose(origin_of(array, "x").sum, origin_of(array, "x").gradient)


def test_both_places_of_a_square_are_paths_of_their_own():
    origin = origin_of(traced("x=3, y=x*x"), "x")
    assert origin.count == 2
    assert [path.carried for path in origin.paths] == [3, 3]


def test_paths_that_cancel_are_both_listed_and_have_no_share():
    origin = origin_of(traced("x=2, y=x-x"), "x")
    assert [path.carried for path in origin.paths] == [1, -1]
    assert [path.share for path in origin.paths] == [None, None]
    assert origin.sum == 0


def test_the_output_itself_has_one_path_without_steps():
    origin = origin_of(traced("x=2, y=3x"), "y")
    assert origin.count == 1
    assert origin.paths[0].steps == ()
    assert origin.paths[0].carried == 1


def test_a_seed_is_part_of_what_is_carried():
    trace = record(parse_shorthand(Source("<-e>", "x=[1,2], y=3x; y.backward(gradient=[1, 10])")))
    (path,) = origin_of(trace, "x").paths
    assert path.carried.tolist() == [3, 30]


def test_a_node_that_receives_nothing_is_refused():
    trace = traced("x=2, z=3, u=x*z, y=2x")
    with pytest.raises(ValueError, match="receives nothing"):
        origin_of(trace, "u")
    with pytest.raises(ValueError, match="receives nothing"):
        origin_of(trace, "z")


def test_the_forward_pass_has_no_origin():
    trace = traced("x=2, y=2x")
    with pytest.raises(ValueError, match="no backward pass"):
        find_origin(trace, trace.passes[0], 0)


# Zero, inf, nan


def test_paths_that_carry_zero_are_not_listed_but_counted_under_the_rest():
    origin = origin_of(traced("x=-2, y=relu(x)+3x+relu(x)*5"), "x")
    assert origin.count == 3
    assert [path.carried for path in origin.paths] == [3]
    assert origin.rest_count == 2
    assert origin.rest == 0
    assert origin.is_ranked


def test_where_no_path_carries_anything_the_steps_that_are_shut_are_told():
    trace = traced("x=-2, y=3*relu(x)")
    origin = origin_of(trace, "x")
    assert origin.paths == ()
    assert origin.rest_count == 1
    assert [trace.label(trace.edge(step)[0]) for step in origin.shut] == ["%1"]


def test_a_path_that_carries_nan_comes_before_one_that_carries_inf_and_all_others():
    origin = origin_of(traced("x=0, y=sqrt(x**2) + 1e300x + sqrt(x)"), "x")
    assert [origin.paths[0].carried, *(path.carried for path in origin.paths[1:])] == [
        pytest.approx(math.nan, nan_ok=True),
        math.inf,
        1e300,
    ]
    assert math.isnan(origin.sum)
    assert math.isnan(origin.gradient)


def test_an_inf_behind_a_zero_makes_a_nan_whichever_comes_first():
    for text in ("x=0, y=sqrt(x**2)", "x=0, y=0*sqrt(x)"):
        origin = origin_of(traced(text), "x")
        assert math.isnan(origin.paths[0].carried)


def test_a_shut_gate_lets_no_inf_through():
    """relu does not multiply: its 0 with an inf is 0, as in the recorded pass."""
    trace = traced("x=0, z=-1, y=sqrt(x)*relu(z)+relu(z)/x")
    origin = origin_of(trace, "z")
    assert compare(origin.sum, origin.gradient).agrees


@pytest.mark.parametrize("factor", ["1e-200", "1e200"])
def test_products_beyond_the_range_of_floats_do_not_upset_the_order(factor):
    trace = traced(f"x=1, y={factor}*({factor}*x) + 2x + x")
    origin = origin_of(trace, "x")
    assert compare(origin.sum, origin.gradient).agrees
    finite = [path.carried for path in origin.paths if math.isfinite(path.carried)]
    assert finite == [2, 1]


# Many paths


def residual(blocks, inner="0.1*tanh(h)"):
    return traced("x=0.5; h=x+0; " + "; ".join([f"h = h + {inner}"] * blocks))


def test_a_hundred_residual_blocks_have_two_to_the_hundredth_paths_and_the_sum_is_exact():
    trace = residual(100)
    origin = origin_of(trace, "x")
    assert origin.count == 2**100
    assert len(origin.paths) == 50
    assert origin.rest_count == 2**100 - 50
    assert origin.is_ranked
    assert compare(origin.sum, origin.gradient).ulp <= 4
    assert origin.paths[0].carried == 1.0  # past all blocks
    assert len(origin.paths[0].steps) == 101
    sizes = [path.size for path in origin.paths]
    assert sizes == sorted(sizes, reverse=True)
    assert len({path.steps for path in origin.paths}) == 50


def test_of_a_residual_chain_the_listed_are_the_largest_of_all():
    trace = residual(12, "0.5*sin(h)")
    every = sorted((c for _, c in all_paths(trace, node_of(trace, "x"))), key=abs, reverse=True)
    assert len(every) == 2**12
    origin = origin_of(trace, "x", limit=30)
    assert [path.size for path in origin.paths] == pytest.approx([abs(c) for c in every[:30]])
    assert origin.rest == pytest.approx(math.fsum(every[30:]))


def test_a_chain_of_blocks_whose_paths_are_all_alike_does_not_hang():
    trace = residual(100, "1*h")
    origin = origin_of(trace, "x", limit=5)
    assert origin.count == 2**100
    assert [path.carried for path in origin.paths] == [1] * 5
    assert origin.gradient == 2.0**100
    assert compare(origin.sum, origin.gradient).agrees


@pytest.mark.thorough
def test_a_long_chain_is_no_trouble():
    trace = traced("x=1; h=x+0; " + "; ".join(["h = h*1"] * 5_000))
    (path,) = origin_of(trace, "x").paths
    assert len(path.steps) == 5_001


def test_with_a_small_budget_fewer_are_listed_and_the_sum_still_is_right():
    origin = origin_of(residual(100), "x", budget=1)
    assert len(origin.paths) == 1
    assert not origin.is_ranked
    assert compare(origin.sum, origin.gradient).ulp <= 4


def test_the_work_can_be_watched_and_stopped():
    seen = []
    trace = residual(50)
    origin_of(trace, "x", watch=seen.append)
    assert seen == sorted(seen)
    assert 0 <= seen[0] <= seen[-1] <= 1

    class EnoughError(Exception):
        pass

    def stop(_):
        raise EnoughError

    with pytest.raises(EnoughError):
        origin_of(trace, "x", watch=stop)


# Lessons and arrays


@pytest.mark.parametrize("scenario", sorted(SCENARIOS.glob("*.yaml")), ids=lambda one: one.stem)
def test_in_every_lesson_the_paths_of_every_gradient_add_up_to_it(scenario):
    trace = record(load(scenario))
    for pass_ in trace.passes:
        if pass_.output is None:
            continue
        for node in range(pass_.output + 1):
            if not trace.progress(node, pass_.stop).expected:
                continue
            origin = find_origin(trace, pass_, node)
            terms = [path.carried for path in origin.paths]
            assert close(origin.sum, origin.gradient, [*terms, origin.rest])
            shares = [path.share for path in origin.paths]
            if None not in shares and origin.paths:
                rest = share_of(origin.rest, origin.gradient)
                assert math.fsum([*shares, rest]) == pytest.approx(1)


def test_on_the_neuron_of_cs231n_each_input_has_its_paths():
    trace = record(load(SCENARIOS / "lesson-05-neuron.yaml"))
    for name in ("w0", "w1", "w2", "x0", "x1"):
        origin = origin_of(trace, name)
        assert origin.count == len(list(all_paths(trace, node_of(trace, name))))
        assert origin.sum == pytest.approx(origin.gradient, rel=1e-15)


NETWORK = (
    "x=[[1,-2],[0.5,3]], w=[[0.3,-0.2],[0.1,0.4]], h=tanh(x@w), "
    "a=h+relu(h@w), b=a*sigmoid(a@w)+h, y=mean((a-b)**2)"
)


def test_arrays_are_ranked_by_the_norm_of_what_they_carry():
    trace = traced(NETWORK)
    origin = origin_of(trace, "w")
    every = sorted((norm_of(c) for _, c in all_paths(trace, node_of(trace, "w"))), reverse=True)
    assert origin.count == len(every)
    assert [path.size for path in origin.paths] == pytest.approx([s for s in every if s])
    assert origin.is_ranked
    assert close(origin.sum, origin.gradient, [path.carried for path in origin.paths])


def test_with_arrays_and_too_many_paths_the_largest_found_are_listed_and_it_is_said():
    blocks = "; ".join(["h = h + 0.3*tanh(h@w)"] * 30)
    trace = traced(f"x=[1,-2], w=[[0.3,-0.2],[0.1,0.4]]; h=x+0; {blocks}; y=sum(h)")
    origin = origin_of(trace, "x", limit=10)
    assert origin.count == 2**30
    assert len(origin.paths) == 10
    assert not origin.is_ranked
    assert close(origin.sum, origin.gradient, [path.carried for path in origin.paths])
    sizes = [path.size for path in origin.paths]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] == pytest.approx(math.sqrt(2))  # past all blocks


def test_a_float32_origin_stays_in_float32():
    trace = record(load(SCENARIOS / "basic.yaml"))
    assert isinstance(origin_of(trace, "x").sum, float)


# Any graph


@st.composite
def graphs(draw):
    """A program of up to 9 operations on earlier values, on numbers or on vectors of two.

    It has many paths, zeros and cancellation.
    """
    names, lines = ["x", "z"], []
    for at in range(draw(st.integers(1, 9))):
        a, b = (draw(st.sampled_from(names[-4:])) for _ in range(2))
        form = draw(
            st.sampled_from(
                ["{a}+{b}", "{a}-{b}", "{a}*{b}", "relu({a})", "sin({a})", "0*{a}+{b}", "{a}**2",
                 "0.5{a}", "{a}/3"]
            )
        )  # fmt: skip
        lines.append(f"v{at} = {form.format(a=a, b=b)}")
        names.append(f"v{at}")
    values = draw(st.tuples(*[st.sampled_from([-2, -0.5, 0, 0.25, 1, 3])] * 2))
    if draw(st.booleans()):
        lines.append(f"y = sum({names[-1]})")
        return f"x=[{values[0]}, 2]; z={values[1]}; " + "; ".join(lines)
    return f"x={values[0]}; z={values[1]}; " + "; ".join(lines)


@settings(max_examples=60, deadline=None)
@given(graphs(), st.integers(1, 6))
def test_on_any_graph_count_list_and_sum_are_those_of_all_paths_one_by_one(text, limit):
    trace = traced(text)
    one = trace.passes[1]
    for node in range(one.output + 1):
        if not trace.progress(node, one.stop).expected:
            continue
        every = list(all_paths(trace, node))
        origin = find_origin(trace, one, node, limit=limit)
        assert origin.count == len(every)
        sizes = sorted((norm_of(carried) for _, carried in every), reverse=True)
        listed = [path.size for path in origin.paths]
        if origin.is_ranked:
            assert listed == pytest.approx([s for s in sizes[:limit] if s], rel=1e-9)
        carried = dict(every)
        for path in origin.paths:
            assert np.allclose(np.asarray(path.carried), carried[path.steps], rtol=1e-12)
            assert len(path.factors) == len(path.steps)
            assert abs(math.prod(path.factors, start=path.start)) == pytest.approx(path.size)
        assert close(origin.sum, origin.gradient, [c for _, c in every])
        unlisted = [c for steps, c in every if steps not in {p.steps for p in origin.paths}]
        terms = [c for _, c in every]
        assert close(origin.rest, sum(unlisted, start=0.0 * origin.gradient), terms)
