"""`check` tells where a nan or inf came from, in the table and as a key of its JSON."""

from __future__ import annotations

import pytest

ROOT = "inputs: {x: 0}\ncompute: |\n  a = x**2\n  y = sqrt(a)\n"


def test_after_the_table_stands_where_the_nan_came_from(run, scenario):
    code, out, err = run("check", "--no-torch", scenario("root.yaml", ROOT))
    assert (code, err) == (0, "")
    lines = out.splitlines()
    at = next(at for at, line in enumerate(lines) if line.startswith("    x.grad"))
    assert lines[at + 1 : at + 10] == [
        "    the first inf is born in step 3, backward y: y = √a sends to a (sqrt at 4:7)",
        "        1 · inf: upstream 1, local 1/(2·√0) = inf",
        "    the first nan is born in step 4, backward y: a = x² sends to x (pow at 3:7)",
        "        inf · 0: upstream inf, local 2·0 = 0",
        "    fed by x = 0",
        "    spoils x.grad",
        "    a root is vertical at 0, and below it there is none: add a little inside,",
        "      sqrt(x + 1e-12)",
        "    the gallery shows it: 13-root-of-a-square and 35-zero-times-infinity",
    ]


def test_in_json_it_is_a_key_that_is_there_only_where_it_is_needed(run_json, scenario):
    code, (bad, good), err = run_json(
        "check", "--json", "--no-torch", scenario("root.yaml", ROOT), "-e", "x=2, y=x**2"
    )
    assert (code, err) == (0, "")
    assert "autopsy" not in good
    assert bad["autopsy"] == {
        "first": {
            "kind": "inf",
            "step": 3,
            "pass": "backward y",
            "node": "y",
            "operation": "sqrt",
            "element": [],
            "figures": "1 · inf: upstream 1, local 1/(2·√0) = inf",
            "line": 4,
            "column": 7,
        },
        "nan": {
            "kind": "nan",
            "step": 4,
            "pass": "backward y",
            "node": "a",
            "operation": "pow",
            "element": [],
            "figures": "inf · 0: upstream inf, local 2·0 = 0",
            "line": 3,
            "column": 7,
        },
        "fed_by": ["x = 0"],
        "spoils": ["x.grad"],
        "births": 2,
    }


@pytest.mark.parametrize("text", ["x=2, y=x**2", "x=1, y=x + exp(-1/0)"])
def test_without_harm_there_is_no_autopsy(run, text):
    _, out, _ = run("check", "--no-torch", "-e", text)
    assert "born" not in out
