"""Where the first inf or nan came from, in exact words."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.passed_off import pass_off

from backprop_engine.basics.source import ScenarioError, Source
from backprop_engine.basics.values import broadcasts_to
from backprop_engine.catalogue import OPERATIONS
from backprop_engine.reading.autopsy.births import Place, births, is_by_element, is_spoilt
from backprop_engine.reading.autopsy.figures import figures
from backprop_engine.reading.autopsy.flow import causes, event_of
from backprop_engine.reading.autopsy.report import as_record, autopsy, autopsy_lines, event_text
from backprop_engine.run.record import record
from backprop_engine.run.tape import graph_of
from backprop_engine.scenarios.loader import load, parse_shorthand


def traced(text):
    return record(parse_shorthand(Source("<-e>", text)))


# Each is what a person reads; (line:column) is the operation's place in the text.
CASES = {
    "the root of a square at 0": (
        "x=0, y=sqrt(x**2)",
        [
            "the first inf is born in step 3, backward y: y = √%1 sends to %1 (sqrt at 1:8)",
            "  1 · inf: upstream 1, local 1/(2·√0) = inf",
            "the first nan is born in step 4, backward y: %1 = x² sends to x (pow at 1:13)",
            "  inf · 0: upstream inf, local 2·0 = 0",
            "fed by x = 0",
            "spoils x.grad",
        ],
    ),
    "a root that a mask should have kept away": (
        "x=[0,4], m=[0,1], y=sum(m*sqrt(x))",
        [
            "the first nan is born in step 7, backward y: %1 = √x sends to x (sqrt at 1:27)",
            "  0 · inf at [0]: upstream 0, local 1/(2·√0) = inf",
            "fed by x[0] = 0",
            "spoils x.grad",
        ],
    ),
    "the logarithm of a negative number": (
        "x=1, y=log(-x)",
        [
            "the first nan is born in step 1, forward: y = log(%1) (log at 1:8)",
            "  log(−1) = nan",
            "fed by x = 1",
            "spoils y",
        ],
    ),
    "the logarithm of a probability that is 0": (
        "x=[800,0], e=exp(x-800), p=e/sum(e), y=sum(log(p))",
        [
            "the first −inf is born in step 4, forward: %3 = log(p) (log at 1:44)",
            "  log(0) = −inf at [1]",
            "the first nan is born in step 10, backward y: p = e/%2 sends to %2 (div at 1:28)",
            "  inf · 0 at [1]: upstream inf, local −0/1² = 0",
            "fed by x = [800, 0]",
            "spoils y, x.grad",
        ],
    ),
    "zero times its own logarithm": (
        "x=0, y=x*log(x)",
        [
            "the first −inf is born in step 0, forward: %1 = log(x) (log at 1:10)",
            "  log(0) = −inf",
            "the first nan is born in step 1, forward: y = x·%1 (mul at 1:8)",
            "  0 · (−inf) = nan",
            "fed by x = 0",
            "spoils y, x.grad",
            "and 1 more birth of inf or nan",
        ],
    ),
    "an overflow, and the difference of two of them": (
        "x=1000, y=exp(x)-exp(2x)",
        [
            "the first inf is born in step 0, forward: %1 = exp(x) (exp at 1:11)",
            "  exp(1000) = inf",
            "the first nan is born in step 3, forward: y = %1 − %3 (sub at 1:11)",
            "  inf − inf = nan",
            "fed by x = 1000",
            "spoils y, x.grad",
            "and 2 more births of inf or nan",
        ],
    ),
    "a division by zero": (
        "x=2, z=0, y=x/z",
        [
            "the first inf is born in step 0, forward: y = x/z (div at 1:13)",
            "  2/0 = inf",
            "fed by x = 2, z = 0",
            "spoils y, x.grad, z.grad",
        ],
    ),
    "a sum of finite numbers": (
        "x=[1e308, 1e308], y=sum(x)",
        [
            "the first inf is born in step 0, forward: y = Σ x (sum at 1:21)",
            "  sum = inf: of finite x [1e308, 1e308]",
            "fed by x = [1e308, 1e308]",
            "spoils y",
        ],
    ),
}


@pytest.mark.parametrize("case", CASES, ids=lambda one: one.replace(" ", "-"))
def test_the_autopsy_names_operation_element_place_figures_and_inputs(case):
    text, expected = CASES[case]
    found = autopsy(traced(text))
    lines = autopsy_lines(found)
    assert lines == expected


def test_a_run_that_stays_finite_has_no_autopsy():
    assert autopsy(traced("x=2, y=x**2+3x+1")) is None
    assert autopsy(traced("x=0, y=sqrt(x+1)")) is None


def test_an_inf_that_is_gone_before_the_results_does_no_harm():
    trace = traced("x=1, m=[0, 1], y=sum(exp(x - m/0.0*0.0 - 1/0.0 + x))")
    assert autopsy(trace) is not None  # 0/0 is a nan
    trace = traced("z=1, y=z + exp(-1/0)")
    assert list(births(trace))
    assert autopsy(trace) is None


def test_an_input_that_is_given_as_nan_is_what_it_all_comes_from(tmp_path):
    path = tmp_path / "one.yaml"
    path.write_text("inputs:\n  x: [1, .nan]\ncompute: y = (x**2).sum()\n")
    found = autopsy(record(load(path)))
    assert autopsy_lines(found) == [
        "the first nan is given: x (input at 2:3)",
        "  the input x is nan at [1]",
        "fed by x[1] = nan",
        "spoils y, x.grad",
    ]
    assert found.start == 0


def test_a_constant_is_named_where_no_input_is_to_blame():
    found = autopsy(traced("x=2, y=x+log(-1)"))
    assert found.causes_text == "1 = 1"


def test_two_contributions_may_be_all_right_and_their_sum_is_not():
    found = autopsy(traced("x=1e-300, y=1e308*x + 1e308*x"))
    assert found.first.birth.place is Place.SUM
    assert found.first.figures == ("1e308 + (1e308) = inf: two contributions to x added up")
    found = autopsy(traced("x=0, y=sqrt(x)-sqrt(x)"))
    assert found.nan.figures == "−inf + inf = nan: two contributions to x added up"


def test_terms_that_are_summed_back_over_broadcast_axes_may_overflow():
    found = autopsy(traced("b=0, x=[1e308, 1e308], y=sum(b*x)"))
    assert found.first.birth.place is Place.TERMS
    assert found.first.figures == (
        "the terms of what %1 sends are finite, their sum over the broadcast axes is inf"
    )


def test_of_a_broadcast_operand_the_element_is_told_that_took_part():
    found = autopsy(traced("x=[[1],[0]], m=[[1,1],[0,1]], y=sum(m/x)"))
    assert found.first.figures == "0/0 = nan at [1, 0]"
    assert found.causes_text == "x[1, 0] = 0, m[1, 0] = 0"
    assert found.first.birth.count == 1


def test_where_elements_mix_it_is_told_where_the_bad_ones_are():
    found = autopsy(traced("x=[1e200, -1], w=[[1e200, 1], [1, 1]], y=sum(x@w*[1, 0])"))
    assert found.first.figures.startswith("matmul = inf at [0]: of finite x ")
    found = autopsy(traced("x=[0, 1], l=log(x), y=l@[[0, 1], [1, 1]]@[1, 1]"))
    assert found.nan.figures == "matmul = nan at [0]: l −inf at [0]"


def test_of_a_composite_whose_elements_mix_the_part_is_told_that_did_it():
    trace = traced("x=[1e308, 1e308], y=sum(x)")
    node = trace.assigned["y"]
    pass_off(trace, node, composite="a[0] + a[1]")
    found = autopsy(trace)
    assert found.first.inside == "add: (1e308) + (1e308) = inf"
    assert "  inside, add: (1e308) + (1e308) = inf" in autopsy_lines(found)
    assert as_record(found)["first"]["inside"] == found.first.inside
    pass_off(trace, node, composite="a.dot([1, 2, 3])")
    assert autopsy(trace).first.inside == ""


def test_in_the_backward_pass_the_upstream_gradient_goes_inside_as_well():
    trace = traced("x=[1, 1], s=x.dot([0, 1]), y=sqrt(s - 1)")
    node = trace.assigned["s"]
    pass_off(trace, node, composite="(a * b).sum()")
    found = autopsy(trace)
    assert found.nan.figures == "dot sends nan at [0]: upstream inf"
    assert found.nan.inside == "mul: inf · 0 at [0]: upstream inf, local 0"


def test_a_seed_may_be_what_is_not_finite(tmp_path):
    path = tmp_path / "one.yaml"
    path.write_text(
        "inputs: {x: [1, 2]}\ncompute: y = 2x\nbackward: {of: y, gradient: [1, .inf]}\n"
    )
    found = autopsy(record(load(path)))
    assert found.first.figures == "the given `gradient` is inf at [1]"
    assert found.victims == ("x.grad",)


def test_the_way_leads_from_the_birth_to_all_that_it_spoils():
    trace = traced("x=1, w=3, a=log(x-1), y=a*w")
    found = autopsy(trace)
    told = {event_text(trace, way[-1]): len(way) for way in found.ways.values()}
    assert found.victims == ("y", "x.grad", "w.grad")
    assert told == {
        "y = a·w = −inf": 2,
        "%1 = x − 1 sends to x: inf": 3,
        "y = a·w sends to w: −inf": 2,
    }
    start = event_of(trace, found.first.birth)
    assert all(way[0] == start for way in found.ways.values())


def test_where_an_inf_ends_in_a_nan_the_nan_is_told_as_well():
    found = autopsy(traced("x=0, y=sqrt(x**2)"))
    assert found.first.kind == "inf"
    assert found.nan.kind == "nan"
    assert found.other_births == 0


def test_the_first_birth_that_does_harm_is_told_and_the_others_are_counted():
    trace = traced("z=1, h=exp(-1/0), x=-1, y=z+h+sqrt(x)+log(x)")
    found = autopsy(trace)
    assert found.first.operation == "sqrt"
    assert found.other_births == len(list(births(trace))) - 1 >= 2


def test_every_pass_is_looked_at(tmp_path):
    path = tmp_path / "one.yaml"
    path.write_text(
        "inputs: {x: 0, z: 1}\ncompute: |\n  a = z*2\n  b = sqrt(x)\nbackward: [a, b]\n"
    )
    found = autopsy(record(load(path)))
    assert found.first.headline.startswith("the first inf is born in step 5, backward b")
    assert (found.first.position.line, found.first.position.column) == (4, 7)


def test_float32_is_no_different(tmp_path):
    path = tmp_path / "one.yaml"
    path.write_text("dtype: float32\ninputs: {x: [100, 1]}\ncompute: y = exp(x).sum()\n")
    assert autopsy(record(load(path))).first.figures == "exp(100) = inf at [0]"


def test_as_a_record_it_is_strictly_json():
    told = as_record(autopsy(traced("x=0, y=x*log(x)")))
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    assert told["first"]["kind"] == "-inf"
    assert told["first"]["operation"] == "log"
    assert (told["first"]["line"], told["first"]["column"]) == (1, 10)
    assert told["nan"]["operation"] == "mul"
    assert told["spoils"] == ["y", "x.grad"]


@pytest.mark.thorough
def test_a_long_chain_of_nan_is_no_trouble():
    trace = traced("x=-1; h=sqrt(x); " + "; ".join(["h = h*1"] * 5_000))
    found = autopsy(trace)
    assert found.first.operation == "sqrt"
    assert max(map(len, found.ways.values())) > 5_000


@st.composite
def programs(draw):
    """Operations that run into inf and nan, on numbers or vectors."""
    names, lines = ["x", "z"], []
    forms = ["log({a})", "sqrt({a})", "{a}/{b}", "exp({a})", "{a}*{b}", "{a}-{b}", "relu({a})",
             "1e200*{a}", "{a}+1"]  # fmt: skip
    for at in range(draw(st.integers(1, 7))):
        a, b = (draw(st.sampled_from(names[-3:])) for _ in range(2))
        lines.append(f"v{at} = {draw(st.sampled_from(forms)).format(a=a, b=b)}")
        names.append(f"v{at}")
    x = draw(st.sampled_from(["0", "-1", "2", "[0, 1]", "[-1, 1000]"]))
    end = f"; y = sum({names[-1]})" if x.startswith("[") else ""
    return f"x={x}; z={draw(st.sampled_from([0, 1, -2]))}; " + "; ".join(lines) + end


@settings(max_examples=80, deadline=None)
@given(programs())
def test_whatever_is_spoilt_in_the_results_has_a_birth_and_a_way_from_one(text):
    trace = traced(text)
    found, born = autopsy(trace), list(births(trace))
    spoilt = [one for one in graph_of(trace).value if is_spoilt(one)]
    spoilt += [contribution for contribution in trace.contributions if is_spoilt(contribution)]
    spoilt += [total for total in trace.totals if is_spoilt(total)]
    assert bool(born) == bool(spoilt)
    grads = (trace.passes[-1].grads or {}).values()
    results = [graph_of(trace).value[trace.passes[-1].output], *grads]
    has_nan = any(np.isnan(one).any() for one in spoilt)
    assert (found is not None) == (has_nan or any(map(is_spoilt, results)))
    if found is None:
        return
    assert found.ways
    for one in born:
        assert math.isnan(one.value) or math.isinf(one.value)
    for way in found.ways.values():
        for event in way:
            assert event_text(trace, event)
    assert autopsy_lines(found)


def test_operands_that_are_not_broadcast_as_numpy_does_are_told_as_a_whole():
    """As the weights of prelu, which stand for channels. Here a product is passed off as such."""
    trace = traced("x=[[1, 1e308], [3, 4]], w=[[1, 0, 2], [1e10, 1, 1]], y=sum(x@w)")
    node = next(
        n for n, one in enumerate(graph_of(trace).operation) if one and one.name == "matmul"
    )
    pass_off(trace, node, elementwise=True)
    found = autopsy(trace)
    assert found.first.figures.startswith("matmul = inf at [0, 0]: of finite x ")
    assert found.causes_text == "x = 2×2 ▂█ ▂▂, w = 2×3 ▂▁▂ █▂▂"


def test_so_are_contributions_that_the_rule_itself_has_summed():
    trace = traced("x=[1e308, 1e308], w=1, y=sum(x*w*0)")
    node = next(n for n, one in enumerate(graph_of(trace).operands) if one == (0, 1))
    operation = graph_of(trace).operation[node]
    summed = replace(operation.derivatives[1], rule=lambda g, y, a, b: (g + a).sum())
    rules = (operation.derivatives[0], summed)
    pass_off(trace, node, derivatives=rules)
    step = next(s for s in range(len(trace)) if trace.edge(s) == (node, 1, 1))
    trace.contributions[step] = trace.totals[step] = math.inf
    (born,) = births(trace)
    assert figures(trace, born) == (
        "mul sends inf: of finite upstream [0, 0], %1 [1e308, 1e308], x [1e308, 1e308], w 1"
    )
    assert [cause.element for cause in causes(trace, born)] == [None, ()]


@pytest.mark.parametrize(
    ("shape", "wanted", "fits"),
    [((), (2,), True), ((2,), (2,), True), ((1, 3), (2, 3), True), ((3,), (2, 3), True),
     ((2,), (2, 3), False), ((2, 3), (3,), False), ((2,), (), False)],
)  # fmt: skip
def test_shapes_are_told_that_would_not_be_repeated(shape, wanted, fits):
    assert broadcasts_to(shape, wanted) is fits


GALLERY = Path(__file__).parents[2] / "scenarios" / "gallery"


def told_in_the_gallery():
    for path in sorted(GALLERY.glob("*.yaml")):
        try:
            trace = record(load(path))
        except ScenarioError:
            continue  # a lesson whose point is an error
        results = [*trace.assigned.values()]
        grads = [grad for pass_ in trace.passes for grad in (pass_.grads or {}).values()]
        if any(is_spoilt(graph_of(trace).value[node]) for node in results) or any(
            map(is_spoilt, grads)
        ):
            yield path.stem, trace


def test_in_every_lesson_with_a_nan_operation_element_and_place_are_told():
    told = dict(told_in_the_gallery())
    assert len(told) >= 4
    for name, trace in told.items():
        found = autopsy(trace)
        assert found is not None, name
        assert found.first.operation in OPERATIONS, name
        assert found.first.position is not None, name
        assert found.first.figures, name
        assert found.causes, name
        assert found.ways, name


def test_what_a_nan_among_numbers_makes_nan_is_not_compared_by_elements(monkeypatch):
    compared = []

    def counting(graph, node):
        compared.append(node)
        return is_by_element(graph, node)

    trace = traced("x=-1, w=2, h=log(x), for i in range(50): h = h*w + 1, y=h")
    monkeypatch.setattr("backprop_engine.reading.autopsy.births.is_by_element", counting)
    assert [birth.place for birth in births(trace)] == [Place.FORWARD]
    assert len(compared) == 1
