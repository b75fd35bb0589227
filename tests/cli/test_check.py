"""`backprop-tui check`: the contract of its JSON, its exit codes and its streams."""

from __future__ import annotations

import dataclasses
import sys
from functools import partial

import pytest

from backprop_engine import catalogue
from backprop_engine.catalogue import OPERATIONS
from backprop_tui.config.folders import config_file
from backprop_tui.headless import run as headless
from backprop_tui.opening.bundled import bundled_scenarios
from backprop_tui.oracles.client import Oracle
from backprop_tui.oracles.sympy.client import SymbolicOracle

LECTURE = "x=2, y=x**2+3x+1"
BASIC = "inputs: {x: 2}\ncompute: y = x**2 + 3x + 1\n"
WRONG = "inputs: {x: 2}\ncompute: y = x**2\nexpect: {y: 5, x.grad: 4}\n"
BROKEN = "inputs: {x: 2}\ncompute: y = x^2\n"


def dead_torch(monkeypatch, code="raise SystemExit(3)"):
    command = [sys.executable, "-c", code]
    monkeypatch.setattr(headless, "Oracle", partial(Oracle, command=command))


def test_the_lecture_example_is_seven_four_times_over(run):
    code, out, err = run("check", "-e", LECTURE)
    assert (code, err) == (0, "")
    (row,) = [line for line in out.splitlines() if "x.grad" in line]
    assert row.split() == ["x.grad", "7", "7", "7", "7", "✓"]
    assert out.splitlines()[-1] == "1 scenario, 1 ok; 1 gradient, none off; no skips"


def test_one_object_a_scenario_has_exactly_these_keys(run_json, scenario):
    code, (answer,), err = run_json("check", "--json", scenario("basic.yaml", BASIC))
    assert (code, err) == (0, "")
    assert answer == {
        "scenario": "basic.yaml",
        "ok": True,
        "values": {"y": 11.0},
        "gradients": {
            "x": {
                "engine": 7.0,
                "torch": 7.0,
                "finite_difference": 7.0,
                "symbolic": 7.0,
                "ok": True,
            }
        },
        "nodes": 8,
        "steps": 10,
        "float32": None,
        "not_settled": 0,
        "errors": [],
    }


def test_what_is_not_settled_is_marked_and_counted_apart(run, run_json, scenario):
    tie = scenario("tie.py", "x = torch.tensor([2., 2., 1.], requires_grad=True)\n"
                   "y = (torch.topk(x, 2).values * torch.tensor([1., 2.])).sum()\n")  # fmt: skip
    singular = ("-e", "A=[[1,2],[2,4]], y=det(A), z=y*3")
    code, out, _ = run("check", *singular)
    assert code == 0
    assert out.startswith("≟ A=[[1,2],[2,4]]")
    assert out.splitlines()[2].endswith("≟")
    assert "1 scenario, 1 ok, 1 of them not settled; 1 gradient, none off" in out
    code, answers, _ = run_json("check", "--json", *singular, tie, "-e", "x=2, y=x*x")
    assert code == 0
    assert [answer["ok"] for answer in answers] == [True, True, True]
    assert [answers[0]["not_settled"], answers[2]["not_settled"]] == [1, 0]


def test_what_would_not_be_finite_in_float32_is_named(run, run_json, scenario):
    program = (
        "a = torch.tensor(100., requires_grad=True)\nb = torch.where(a <= 0, torch.exp(a), 1 + a)\n"
    )
    wide, single = ("-e", program), scenario("single.py", program)
    code, answers, _ = run_json("check", "--json", "--no-torch", *wide, single, "-e", LECTURE)
    assert [answer["float32"] for answer in answers] == ["a.grad", None, None]
    assert [answer["gradients"].get("a", {}).get("engine") for answer in answers] == [
        1.0,
        "nan",
        None,
    ]
    assert code == 1  # the derivative is 1, and in float32 it comes out as nan
    out = run("check", "--no-torch", *wide)[1].splitlines()
    assert "    in float32, torch's default, a.grad would not be finite" in out


def test_the_guide_is_right(run_json):
    code, answers, err = run_json("check", "--json", str(bundled_scenarios() / "guide"))
    assert (code, err) == (0, "")
    assert [answer["ok"] for answer in answers] == [True] * 5


def test_a_folder_is_checked_with_all_below_it_in_order(run_json, scenario):
    for name in ("lessons/b.yaml", "lessons/a.yml", "lessons/deep/er/c.yaml"):
        scenario(name, BASIC)
    scenario("lessons/readme.md", "not a scenario")
    code, answers, _ = run_json("check", "--no-torch", "--json", "lessons")
    assert code == 0
    assert [answer["scenario"] for answer in answers] == [
        "lessons/a.yml",
        "lessons/b.yaml",
        "lessons/deep/er/c.yaml",
    ]


def test_files_and_expressions_keep_the_order_they_were_given(run_json, scenario):
    a, b = scenario("a.yaml", BASIC), scenario("b.yaml", BASIC)
    order = ["check", a, "--json", "-e", "z=1,w=z", b, "--no-torch", "--expression=q=3,r=q*q", a]
    _, answers, _ = run_json(*order)
    assert [(answer["scenario"], list(answer["values"])) for answer in answers] == [
        ("a.yaml", ["y"]),
        ("<-e>", ["w"]),
        ("b.yaml", ["y"]),
        ("<-e>", ["r"]),
        ("a.yaml", ["y"]),
    ]


def test_a_bad_scenario_stops_none_of_the_others(run_json, scenario):
    code, answers, err = run_json(
        "check", "--json", scenario("bad.yaml", BROKEN), scenario("good.yaml", BASIC)
    )
    assert code == 2
    bad, good = answers
    assert bad.keys() == {"scenario", "ok", "errors"}
    assert (bad["scenario"], bad["ok"], good["ok"]) == ("bad.yaml", False, True)
    (error,) = bad["errors"]
    assert error.keys() == {"line", "column", "message"}
    assert (error["line"], error["column"]) == (2, 15)
    assert "**" in error["message"]
    assert err.startswith("bad.yaml:2:15: ")
    assert "^" in err.splitlines()[2]


def test_a_file_that_does_not_exist_is_an_error_of_its_own(run, run_json):
    code, out, err = run("check", "--no-torch", "nowhere.yaml")
    assert code == 2
    assert "nowhere.yaml" in err
    assert "nowhere.yaml" not in out
    code, (answer,), _ = run_json("check", "--no-torch", "--json", "nowhere.yaml")
    assert (code, answer["scenario"], answer["ok"]) == (2, "nowhere.yaml", False)


def test_an_empty_folder_is_an_error(run, tmp_path):
    (tmp_path / "empty").mkdir()
    code, _, err = run("check", "empty")
    assert code == 2
    assert "no scenario" in err


def test_an_expectation_that_is_off_is_exit_one_and_named(run, run_json, scenario):
    name = scenario("wrong.yaml", WRONG)
    code, (answer,), err = run_json("check", "--json", name)
    assert (code, err, answer["ok"]) == (1, "", False)
    assert answer["errors"] == [
        {"oracle": "expect", "name": "y", "message": "expected y = 5, but it is 4"}
    ]
    assert answer["gradients"]["x"]["ok"] is True
    _, out, _ = run("check", name)
    assert "expected y = 5, but it is 4" in out
    assert out.splitlines()[-1].startswith("1 scenario, 0 ok, 1 failed;")


@pytest.mark.parametrize(
    ("expect", "ok"),
    [
        ("{y: 4.0000039}", True),
        ("{y: 4.0000041}", False),
        ("{y: {value: 4.1, tolerance: 0.1}}", True),
        ("{x.grad: null}", False),
        ("{x.grad: 4, x: 2}", True),
        ("{y: [4]}", False),
        ("{z.grad: null, z: [.nan, .inf]}", True),
        ("{z: [.nan, 1]}", False),
    ],
)
def test_expectations_hold_within_their_tolerance(run, scenario, expect, ok):
    text = f"inputs: {{x: 2, z: [.nan, .inf]}}\ncompute: y = x**2\nexpect: {expect}\n"
    code, _, _ = run("check", "--no-torch", scenario("expecting.yaml", text))
    assert code == (0 if ok else 1)


def test_a_lesson_about_an_error_is_right_if_it_says_so(run_json, scenario):
    text = "inputs: {{x: [1, 2]}}\ncompute: y = x*2\nexpect: {{error: {}}}\n"
    code, (answer,), err = run_json(
        "check", "--json", scenario("lesson.yaml", text.format("scalar outputs"))
    )
    assert (code, err, answer["ok"]) == (0, "", True)
    assert "scalar outputs" in answer["expected_error"]
    code, (answer,), _ = run_json(
        "check", "--json", scenario("lesson.yaml", text.format("something else"))
    )
    assert (code, answer["ok"]) == (1, False)
    assert answer["errors"][0]["oracle"] == "expect"


def test_an_expected_error_may_lie_in_the_text_itself(run, scenario):
    text = "inputs: {x: 2}\ncompute: y = x^2\nexpect: {error: not a power}\n"
    code, out, err = run("check", scenario("caret.yaml", text))
    assert (code, err) == (0, "")
    assert "stops, as it should: `^` is not a power here" in out


def test_an_expected_error_that_does_not_come_is_off(run, scenario):
    code, out, _ = run("check", scenario("fine.yaml", BASIC + "expect: {error: oh no}\n"))
    assert code == 1
    assert "there was none" in out


def test_an_oracle_that_is_said_to_disagree_must_disagree(run_json, scenario, monkeypatch):
    name = scenario("known.yaml", BASIC + "disagrees: {x: [finite_difference, torch, symbolic]}\n")
    code, (answer,), _ = run_json("check", "--json", name)
    assert (code, answer["gradients"]["x"]["ok"]) == (1, False)
    assert [(one["oracle"], one["name"]) for one in answer["errors"]] == [
        ("torch", "x"),
        ("finite_difference", "x"),
        ("symbolic", "x"),
    ]
    break_a_rule(monkeypatch)
    code, (answer,), _ = run_json("check", "--json", name)
    assert (code, answer["ok"], answer["errors"]) == (0, True, [])
    assert answer["gradients"]["x"]["engine"] != answer["gradients"]["x"]["torch"]


def test_a_skip_is_no_disagreement_but_will_do_for_one(run, scenario):
    text = "inputs: {x: 0}\ncompute: y = relu(x)\ndisagrees: {x: [finite_difference]}\n"
    assert run("check", scenario("kink.yaml", text))[0] == 0


def break_a_rule(monkeypatch):
    """A product that forgets the other factor."""
    entry = OPERATIONS["mul"]
    wrong = type(entry.derivatives[1])(rule=lambda g, y, a, b: g, local="1")
    broken = dataclasses.replace(entry, derivatives=(entry.derivatives[0], wrong))
    monkeypatch.setitem(catalogue.BINARY, "*", broken)


def test_a_wrong_derivative_is_told_where_it_is_and_what_it_does(run_json, monkeypatch):
    break_a_rule(monkeypatch)
    code, (answer,), _ = run_json("check", "--json", "-e", LECTURE)
    assert (code, answer["ok"]) == (1, False)
    assert answer["gradients"]["x"] == {
        "engine": 5.0, "torch": 7.0, "finite_difference": 7.0, "symbolic": 7.0, "ok": False,
    }  # fmt: skip
    fault, torch, difference, formula = answer["errors"]
    assert (
        "the contribution of %2 to x (step 8) is 1 by the engine and 3 by torch" in fault["message"]
    )
    assert (torch["oracle"], torch["name"]) == ("torch", "x")
    assert (difference["oracle"], difference["name"]) == ("finite_difference", "x")
    assert (formula["oracle"], formula["name"]) == ("symbolic", "x")
    assert "is 5 by the engine and 7 by the formula" in formula["message"]


def test_without_torch_the_column_is_null_and_says_why(run_json):
    code, (answer,), _ = run_json("check", "--no-torch", "--json", "-e", LECTURE)
    assert (code, answer["ok"]) == (0, True)
    assert answer["gradients"]["x"]["torch"] is None
    assert [(one["oracle"], one["name"]) for one in answer["errors"]] == [("torch", None)]


def test_a_dead_torch_is_exit_one_and_the_rest_is_still_told(run_json, run, monkeypatch):
    dead_torch(monkeypatch)
    code, (answer,), _ = run_json("check", "--json", "-e", LECTURE)
    assert (code, answer["ok"]) == (1, False)
    assert answer["gradients"]["x"] == {
        "engine": 7.0, "torch": None, "finite_difference": 7.0, "symbolic": 7.0, "ok": True,
    }  # fmt: skip
    (error,) = answer["errors"]
    assert (error["oracle"], error["name"]) == ("torch", None)
    assert "exit code 3" in error["message"]
    code, out, _ = run("check", "-e", LECTURE)
    assert code == 1
    assert "not run" in out
    assert "exit code 3" in out


def test_a_missing_torch_is_told_with_the_remedy(run_json, monkeypatch):
    dead_torch(
        monkeypatch,
        "import sys; sys.modules['torch'] = None\n"
        "from backprop_tui.oracles.torch.child import main; main()",
    )
    code, answers, _ = run_json("check", "--json", "-e", LECTURE, "-e", "x=3, y=x**2")
    assert code == 1
    assert all("pip install torch" in answer["errors"][0]["message"] for answer in answers)
    assert [answer["gradients"]["x"]["engine"] for answer in answers] == [7, 6]


def test_without_sympy_the_column_is_null_and_says_why(run, run_json):
    code, (answer,), _ = run_json("check", "--no-symbolic", "--json", "-e", LECTURE)
    assert (code, answer["ok"]) == (0, True)
    assert answer["gradients"]["x"]["symbolic"] is None
    assert [(one["oracle"], one["message"]) for one in answer["errors"]] == [
        ("symbolic", "not run: --no-symbolic")
    ]
    _, out, _ = run("check", "--no-symbolic", "-e", LECTURE)
    assert "not run" in out


def test_a_dead_sympy_is_exit_one_and_the_rest_is_still_told(run_json, monkeypatch):
    command = [sys.executable, "-c", "raise SystemExit(3)"]
    monkeypatch.setattr(headless, "SymbolicOracle", partial(SymbolicOracle, command=command))
    code, (answer,), _ = run_json("check", "--json", "-e", LECTURE)
    assert (code, answer["ok"]) == (1, False)
    row = answer["gradients"]["x"]
    assert (row["torch"], row["symbolic"], row["ok"]) == (7.0, None, True)
    (error,) = answer["errors"]
    assert (error["oracle"], error["name"]) == ("symbolic", None)
    assert "The sympy process ended with exit code 3" in error["message"]


def configure(text):
    config_file().parent.mkdir(parents=True, exist_ok=True)
    config_file().write_text(text)


def test_what_is_too_much_for_sympy_is_a_skip_and_all_right(run, monkeypatch):
    slow = [sys.executable, "-c", "import time; time.sleep(600)"]
    monkeypatch.setattr(headless, "SymbolicOracle", partial(SymbolicOracle, command=slow))
    configure("symbolic_seconds = 0.2\n")
    code, out, _ = run("check", "-e", LECTURE)
    assert code == 0
    assert "1 skip (symbolic 1: too much mathematics for the time there is)" in out


def test_torch_has_as_long_as_the_configuration_says(run, monkeypatch):
    dead_torch(monkeypatch, "import time; time.sleep(600)")
    configure("torch_seconds = 0.2\n")
    code, out, _ = run("check", "--no-symbolic", "-e", LECTURE)
    assert code == 1
    assert "torch: Torch has not answered within 0.2 seconds." in " ".join(out.split())


@pytest.mark.parametrize("workers", [1, 2])
def test_what_finite_differences_have_no_time_for_is_a_skip_and_all_right(
    run, run_json, monkeypatch, workers
):
    monkeypatch.setattr(headless, "FEW", 0)
    monkeypatch.setattr(headless, "cores", lambda: workers)
    configure("finite_difference_seconds = 1e-9\n")
    code, out, err = run("check", "--no-torch", "--no-symbolic", "-e", LECTURE)
    assert (code, err) == (0, "")
    assert "skipped: not within 1e-09 s" in out
    assert "1 skip (finite differences 1: not within 1e-09 s)" in out
    _, (answer,), _ = run_json("check", "--json", "--no-torch", "--no-symbolic", "-e", LECTURE)
    row = answer["gradients"]["x"]
    assert (row["ok"], row["finite_difference"], row["skipped"]) == (
        True,
        None,
        "not within 1e-09 s",
    )


def test_a_wrong_setting_of_time_is_told_and_the_default_holds(run):
    configure("torch_seconds = 'long'\nsymbolic_seconds = 0\n")
    code, _, err = run("check", "-e", LECTURE)
    assert code == 0
    told = "is a number of seconds above 0, and 86400 at most"
    assert sorted(err.splitlines()) == [
        f"{config_file()}:1:1: `torch_seconds` {told}",
        f"{config_file()}:2:1: `symbolic_seconds` {told}",
    ]


def test_arrays_are_skipped_without_any_sympy(run_json, monkeypatch):
    nowhere = partial(SymbolicOracle, command=["/nowhere/python"])
    monkeypatch.setattr(headless, "SymbolicOracle", nowhere)
    code, (answer,), _ = run_json("check", "--json", "-e", "x=[1, 2], y=(x*x).sum()")
    assert (code, answer["gradients"]["x"]["symbolic"]) == (0, None)
    (error,) = answer["errors"]
    assert (error["oracle"], error["name"]) == ("symbolic", "x")
    assert "x is an array of shape (2,)" in error["message"]


def test_engines_that_agree_and_are_wrong_are_caught_by_the_formula(run_json, scenario):
    text = "inputs: {x: 1e-8}\ncompute: y = (1 - cos(x))/x**2\n"
    _, (answer,), _ = run_json("check", "--json", scenario("cancel.yaml", text))
    row = answer["gradients"]["x"]
    assert row["engine"] == row["torch"] == pytest.approx(1e8)
    assert row["symbolic"] == pytest.approx(-8.333333e-10)
    text += "disagrees: {x: [finite_difference, symbolic]}\n"
    code, _, _ = run_json("check", "--json", scenario("known.yaml", text))
    assert code == 0


def test_a_kink_is_skipped_counted_and_all_right(run, run_json):
    code, (answer,), _ = run_json("check", "--json", "-e", "x=0, y=relu(x)")
    assert (code, answer["ok"]) == (0, True)
    assert answer["gradients"]["x"]["finite_difference"] is None
    assert answer["gradients"]["x"]["symbolic"] is None
    assert [one["oracle"] for one in answer["errors"]] == ["finite_difference", "symbolic"]
    assert all("skipped: a kink" in one["message"] for one in answer["errors"])
    _, out, _ = run("check", "-e", "x=0, y=relu(x)")
    assert "2 skips (finite differences 1: a kink" in out.splitlines()[-1]
    assert "symbolic 1: a kink" in out.splitlines()[-1]


def test_skipped_elements_of_an_array_are_null(run, run_json):
    code, (answer,), _ = run_json("check", "--json", "-e", "x=[0, 1, -2], y=abs(x).sum()")
    row = answer["gradients"]["x"]
    assert (code, row["finite_difference"], row["ok"]) == (0, [None, 1, -1], True)
    assert "kink" in row["skipped"]
    _, out, _ = run("check", "-e", "x=[0, 1, -2], y=abs(x).sum()")
    assert "[–, 1, -1]" in out


def test_numbers_that_are_not_finite_are_strings(run_json):
    _, (answer,), _ = run_json("check", "--json", "-e", "x=[0, -1, 4], y=log(x).sum(), z=1/x[0]")
    assert answer["values"] == {"y": "nan", "z": "inf"}
    _, (answer,), _ = run_json("check", "--json", "-e", "x=[0, -1, 4], y=log(x)[:2], z=y.sum()")
    assert answer["values"]["y"] == ["-inf", "nan"]
    assert answer["gradients"]["x"]["engine"] == ["inf", -1, 0]


def test_an_input_that_never_received_anything_is_null_everywhere(run_json):
    _, (answer,), _ = run_json("check", "--json", "-e", "x=1, z=2, y=z*z")
    assert answer["gradients"]["x"] == {
        "engine": None, "torch": None, "finite_difference": None, "symbolic": None, "ok": True,
    }  # fmt: skip
    assert answer["errors"] == []


def test_versions_of_a_name_and_inputs_without_grad_are_where_they_belong(run_json, scenario):
    text = "inputs: {x: 2, c: {value: 3, requires_grad: false}}\ncompute: |\n  h = c*x\n  h += 1\n"
    _, (answer,), _ = run_json("check", "--no-torch", "--json", scenario("again.yaml", text))
    assert answer["values"] == {"h": 7, "h@1": 6, "h@2": 7}
    assert list(answer["gradients"]) == ["x"]


def test_large_inputs_are_checked_along_directions(run, run_json, scenario):
    text = (
        "inputs: {X: {normal: [40, 30]}, w: {normal: [30], seed: 1}}\n"
        "compute: y = tanh(X @ w).mean()\n"
    )
    name = scenario("large.yaml", text)
    code, (answer,), _ = run_json("check", "--json", name)
    assert (code, answer["ok"]) == (0, True)
    row = answer["gradients"]["X"]
    assert row["finite_difference"] is None
    assert all(one["ok"] for one in row["directions"])
    _, out, _ = run("check", name)
    assert "3 of 3 directions agree" in out
    assert max(map(len, out.splitlines())) <= 80


def test_without_anything_to_check_the_usage_is_wrong(run):
    code, out, err = run("check")
    assert (code, out) == (2, "")
    assert "SCENARIO" in err or "scenario" in err


def test_a_title_cannot_send_commands_to_the_terminal(run, scenario):
    text = 'title: "evil \\e[31m red"\n' + BASIC
    _, out, _ = run("check", "--no-torch", scenario("evil.yaml", text))
    assert "\x1b" not in out


def test_a_grad_that_is_retained_can_be_expected(run_json, scenario):
    compute = "compute: |\n  h = x**2\n  h.retain_grad()\n  y = 3h\n"
    scenario("right.yaml", f"inputs: {{x: 2}}\n{compute}expect: {{h.grad: 3}}\n")
    scenario("wrong.yaml", f"inputs: {{x: 2}}\n{compute}expect: {{h.grad: 4}}\n")
    code, (right, wrong), _ = run_json("check", "--no-torch", "--json", "right.yaml", "wrong.yaml")
    assert code == 1
    assert right["ok"]
    (error,) = [one for one in wrong["errors"] if one["oracle"] == "expect"]
    assert (error["name"], error["message"]) == ("h.grad", "expected h.grad = 4, but it is 3")


def test_where_torch_is_known_not_to_send_the_derivative_both_are_told(run, run_json):
    singular = "A=[[1,2],[2,4]], d=det(A), y=3d"
    code, (answer,), _ = run_json("check", "--json", "-e", singular)
    row = answer["gradients"]["A"]
    assert (code, row["engine"]) == (0, [[12.0, -6.0], [-6.0, 3.0]])
    assert row["torch"] == [[0.0, 0.0], [0.0, 0.0]]
    (told,) = [one["message"] for one in answer["errors"] if one["oracle"] == "torch"]
    assert "is 12 by the engine and 0 by torch" in told
    assert "of a singular matrix torch sends 0 back" in told
    code, out, _ = run("check", "-e", singular)
    assert code == 0
    assert "of a singular matrix torch sends 0 back" in " ".join(out.split())
