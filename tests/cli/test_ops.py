"""`backprop-tui ops`: the catalogue as a reference."""

from __future__ import annotations

import json
import re

import pytest

from backprop_engine.catalogue import FUNCTIONS, GROUPS, OPERATIONS, PROPERTIES
from backprop_tui.headless.ops import UnknownOperationError, as_json, find, page


def test_the_table_has_every_operation_under_its_group(run):
    code, out, err = run("ops")
    assert (code, err) == (0, "")
    titles = [line for line in out.splitlines() if line in GROUPS]
    assert titles == list(GROUPS)
    listed = re.findall(r"^  (\S+)", out, re.MULTILINE)
    assert listed == [entry.name for entries in GROUPS.values() for entry in entries]


def test_every_operation_stands_in_one_group():
    grouped = [entry.name for entries in GROUPS.values() for entry in entries]
    assert sorted(grouped) == sorted(OPERATIONS)


def test_a_page_tells_forms_formula_derivative_and_grad_fn(run):
    code, out, _ = run("ops", "tanh")
    assert code == 0
    for told in (
        "tanh(input)",
        "y = tanh(a)",
        "∂y/∂a = 1 − y²",
        "TanhBackward0",
        "lets hardly any",
    ):
        assert told in out


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("sum", "sum"),
        ("torch.exp", "exp"),
        ("F.relu", "relu"),
        (".reshape()", "reshape"),
        ("ln", "log"),
        ("T", "T"),
        (".mT", "mT"),
        ("@", "matmul"),
        ("**", "pow"),
        ("index", "index"),
    ],
)
def test_an_operation_is_found_by_whatever_it_is_called(asked, found):
    assert [one.name for one in find(asked)] == [found]


def test_a_name_with_several_forms_shows_them_all():
    for name, forms in FUNCTIONS.items():
        assert {form.name for form in forms} <= {one.name for one in find(name)}
    for name, (operation, _) in PROPERTIES.items():
        assert operation.name in {one.name for one in find(name)}


def test_an_unknown_name_gets_the_nearest_one(run):
    code, out, err = run("ops", "sigmiod")
    assert (code, out) == (2, "")
    assert "there is no operation `sigmiod`; did you mean `sigmoid`?" in err
    with pytest.raises(UnknownOperationError):
        find("qwertyuiop")


def test_json_has_one_object_an_operation(run):
    code, out, _ = run("ops", "--json", "sum", "tanh", "T")
    assert code == 0
    listed = [json.loads(line) for line in out.splitlines()]
    assert [one["name"] for one in listed] == ["sum", "tanh", "T"]
    assert {frozenset(one) for one in listed} == {frozenset(listed[0])}
    assert listed[1]["derivatives"][0]["formula"] == "∂y/∂a = 1 − y²"
    assert listed[1]["grad_fn"] == "TanhBackward0"
    assert listed[2]["properties"] == [".T"]


def test_markdown_has_a_row_for_each_group_and_takes_no_name(run):
    code, out, _ = run("ops", "--markdown")
    assert code == 0
    assert len(out.splitlines()) == 2 + len(GROUPS)
    code, _, err = run("ops", "--markdown", "exp")
    assert code == 2
    assert "takes no NAME" in err


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_page_is_complete(name):
    told = page(OPERATIONS[name])
    json.dumps(as_json(told), allow_nan=False)
    assert told.formula
    assert "{" not in told.formula
    assert told.signatures or told.operator or told.properties
    assert all(part.formula and part.words and "{" not in part.formula for part in told.parts)
    if OPERATIONS[name].description.example:
        assert told.example is not None
        assert told.example.ok, [complaint.message for complaint in told.example.complaints]
        assert told.grad_fn != "depends on the operands", "the example does not use it"
