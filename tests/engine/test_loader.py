"""From a file, a YAML text or one line to a scenario."""

from __future__ import annotations

import math
import os
from pathlib import Path

import numpy as np
import pytest

from backprop_engine.basics.source import Source
from backprop_engine.grammar.syntax import Assignment, Binary, Call, postorder
from backprop_engine.program.scenario import Backward, Scenario, ZeroGrad
from backprop_engine.scenarios.loader import load, parse_document, parse_shorthand

PROGRAM = "inputs: {x: 2, W: [[1, 2], [3, 4]]}\ncompute: |\n  h = x**2\n  h = 3h\n  y = h.sum()\n"


def document(text: str) -> Scenario:
    return parse_document(Source("lesson.yaml", text))


def shorthand(text: str) -> Scenario:
    return parse_shorthand(Source("<-e>", text))


def outline(scenario: Scenario) -> tuple[list[tuple[str, object]], list[str], list[str]]:
    """Inputs, assigned names and backward passes."""
    return (
        [(input_.name, input_.value) for input_ in scenario.inputs],
        [name.name for statement in scenario.statements for name in statement.names],
        [pass_.output for pass_ in scenario.passes if isinstance(pass_, Backward)],
    )


@pytest.mark.parametrize(
    "scenario",
    [
        shorthand("x=2, y=x**2+3x+1"),
        shorthand("x = 2; y = x**2 + 3x + 1"),
        shorthand("x = 2\ny = x**2 + 3x + 1  # the lesson\n"),
        shorthand("y = x**2 + 3x + 1, x = +2,"),
        document("x=2, y=x**2+3x+1"),
        document("x=2,\n  y=x**2\n    + 3x+1\n"),
        document("|\n  x = 2\n  y = x**2 + 3x + 1\n"),
        document("'x=2, y=x**2+3x+1'"),
        document("inputs: {x: 2}\ncompute: y = x**2 + 3x + 1\n"),
        document("version: 1\ninputs:\n  x: 2\ncompute: |\n  y = x**2 + 3x + 1\n"),
        document("inputs:\n  x: 2\ncompute:\n  y: x**2 + 3x + 1\n"),
        document("inputs:\n  x: 2\ncompute: y = x**2 + 3x + 1\nbackward: y\nabout:\n"),
    ],
)
def test_one_lesson_can_be_written_in_many_ways(scenario: Scenario) -> None:
    assert outline(scenario) == ([("x", 2.0)], ["y"], ["y"])

    statement = scenario.statements[0]
    assert isinstance(statement, Assignment)
    signs = [part.symbol for part in postorder(statement.expression) if isinstance(part, Binary)]
    assert signs == ["**", "*", "+", "+"]


def test_only_in_the_shorthand_a_literal_is_an_input() -> None:
    text = "a = 2; b = [1, [2]][0]; W = [[1, -2], [3, +4]]; y = a + 1"

    assert [input_.name for input_ in shorthand(text).inputs] == ["a", "W"]
    assert document(f"compute: '{text}'\n").inputs == ()


def test_the_shorthand_reads_signed_numbers_and_nested_lists() -> None:
    scenario = shorthand("a=-2, b=+.5, c=(3), W=[[1, -2], [3, 4e1]], e=[], n=-math.inf, y=a*b")
    values = {input_.name: input_.value for input_ in scenario.inputs}

    assert (values["a"], values["b"], values["c"], values["n"]) == (-2.0, 0.5, 3.0, -math.inf)
    assert np.asarray(values["W"]).tolist() == [[1, -2], [3, 40]]
    assert np.shape(values["e"]) == (0,)
    assert all(input_.requires_grad for input_ in scenario.inputs)


def test_a_name_of_the_mapping_form_is_a_variable_even_if_it_is_called_like_a_module() -> None:
    _, statement = document("inputs: {x: 2}\ncompute:\n  F: 2x\n  y: F.sum()\n").statements

    assert isinstance(statement, Assignment)
    assert isinstance(statement.expression, Call)
    assert statement.expression.prefix == ""


def test_an_input_may_be_assigned_again() -> None:
    assert outline(shorthand("x=2, x=x**2, x+=1")) == ([("x", 2.0)], ["x", "x"], ["x"])


def test_a_file_is_named_as_it_was_given(tmp_path: Path) -> None:
    path = tmp_path / "lesson.yaml"
    path.write_text("x=2, y=x**2\n", "utf-8")
    relative = os.path.relpath(path)

    assert load(relative).source.name == relative
    assert load(path).source.name == str(path)
    assert load(path).source.text == "x=2, y=x**2\n"


def test_title_notes_and_hints_are_kept_as_written() -> None:
    scenario = document(
        "title: Basic autograd\nabout: |\n  # Sums\n\n  *add* up\n"
        "hints: {y: look, h@1: here, x: 3}\n" + PROGRAM
    )

    assert scenario.title == "Basic autograd"
    assert scenario.about == "# Sums\n\n*add* up\n"
    hints = {name: hint.text for name, hint in scenario.hints.items()}
    assert hints == {"y": "look", "h@1": "here", "x": "3"}


def test_a_number_may_be_a_title() -> None:
    assert document("title: 1984\n" + PROGRAM).title == "1984"


def test_keys_left_empty_count_as_left_out() -> None:
    keys = "title:\nabout:\ndtype:\nbackward:\nexpect:\nhints:\ndisagrees:\nversion:\n"

    scenario = document(keys + PROGRAM)

    assert outline(scenario)[2] == ["y"]
    assert (scenario.title, scenario.dtype, scenario.expectations) == ("", "float64", ())


def test_without_backward_the_last_name_assigned_is_the_output() -> None:
    scenario = document(PROGRAM)
    (one,) = scenario.passes

    assert isinstance(one, Backward)
    assert (one.output, one.gradient) == ("y", None)
    assert scenario.source.position(one.span.start).line == 5


def test_backward_lists_passes_of_every_kind() -> None:
    scenario = document(
        PROGRAM
        + "backward: [y, zero_grad, {of: h@1, gradient: 3}, {of: h, gradient: [1, 2]}, "
        + "x.grad.zero_(), h@2]\n"
    )
    first, cleared, third, fourth, zeroed, last = scenario.passes

    assert isinstance(first, Backward)
    assert first.output == "y"
    assert cleared == ZeroGrad(cleared.span, None)
    assert isinstance(third, Backward)
    assert (third.output, third.gradient) == ("h@1", 3.0)
    assert isinstance(fourth, Backward)
    assert isinstance(fourth.gradient, np.ndarray)
    assert fourth.gradient.tolist() == [1, 2]
    assert zeroed == ZeroGrad(zeroed.span, "x")
    assert isinstance(last, Backward)
    assert last.output == "h@2"


def test_a_gradient_has_the_dtype_of_the_scenario() -> None:
    text = "dtype: float32\n" + PROGRAM + "backward: {of: W, gradient: [[1, 0.1], [1, 1]]}\n"
    (one,) = document(text).passes

    assert isinstance(one, Backward)
    assert isinstance(one.gradient, np.ndarray)
    assert one.gradient.dtype == np.float32


def test_expectations_are_of_values_and_of_gradients_of_inputs() -> None:
    expected = document(
        PROGRAM
        + "expect:\n  y: 12\n  h@1: {value: 4, tolerance: 1e-3}\n  x.grad: 12\n  W.grad: null\n"
        + "  W: [[1, .nan], ['inf', -inf]]\n"
    ).expectations

    assert [(one.name, one.is_grad) for one in expected] == [
        ("y", False), ("h@1", False), ("x", True), ("W", True), ("W", False),
    ]  # fmt: skip
    assert [one.value for one in expected[:4]] == [12.0, 4.0, 12.0, None]
    assert [one.tolerance for one in expected] == [1e-6, 1e-3, 1e-6, 1e-6, 1e-6]
    np.testing.assert_array_equal(expected[4].value, [[1, np.nan], [np.inf, -np.inf]])


def test_a_tolerance_may_hold_for_all_expectations_without_one_of_their_own() -> None:
    text = "expect: {tolerance: 0.5, y: 12, x.grad: {value: 12, tolerance: 0}}\n"

    expected = document(PROGRAM + text).expectations

    assert [(one.name, one.tolerance) for one in expected] == [("y", 0.5), ("x", 0.0)]


def test_a_lesson_may_expect_an_error() -> None:
    scenario = document(PROGRAM + "expect: {error: scalar outputs}\n")

    assert scenario.expected_error == "scalar outputs"
    assert scenario.expectations == ()


def test_names_called_error_and_tolerance_are_names_like_any_other() -> None:
    scenario = document(
        "inputs: {error: 1}\ncompute: tolerance = 2error\nexpect: {error: 1, tolerance: 2}\n"
    )

    assert scenario.expected_error is None
    assert [expectation.name for expectation in scenario.expectations] == ["error", "tolerance"]


def test_oracles_known_to_disagree_are_named_by_input() -> None:
    scenario = document(PROGRAM + "disagrees: {x: [finite_difference, torch], W: symbolic}\n")

    assert scenario.disagrees == {
        "x": frozenset({"finite_difference", "torch"}),
        "W": frozenset({"symbolic"}),
    }


def test_numbers_assigned_at_once_in_the_shorthand_are_inputs_each() -> None:
    scenario = shorthand("a, b = 2, [1, 3], c, d = a, 4, y = (a*b).sum()")

    assert [(input_.name, np.ndim(input_.value)) for input_ in scenario.inputs] == [
        ("a", 0),
        ("b", 1),
    ]
