"""`pytest --backprop`: scenario files as tests, and nothing at all without the option."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from backprop_tui.headless import pytest_plugin
from backprop_tui.headless import run as headless

pytest_plugins = "pytester"

BASIC = "inputs: {x: 2}\ncompute: y = x**2 + 3x + 1\n"
WRONG = "inputs: {x: 2}\ncompute: y = x**2\nexpect:\n  y: 4\n  x.grad: 3\n"
BROKEN = "inputs: {x: 2}\ncompute: y = x^2\n"


@pytest.fixture
def tests(pytester):
    """A folder with scenarios, another YAML file and a test of Python's."""
    pytester.makeini("[pytest]\nasyncio_default_fixture_loop_scope = function\n")
    pytester.makepyfile("def test_python(): pass")
    (pytester.path / "some").mkdir()
    files = {"some/a.yaml": BASIC, "some/b.yml": WRONG, "c.yaml": BROKEN, "compose.yaml": "x: 1\n"}
    for name, text in files.items():
        (pytester.path / name).write_text(text)
    return pytester


def test_scenario_files_are_tests_and_fail_as_check_prints_it(tests, run):
    _, off, _ = run("check", str(Path("some/b.yml")))
    _, _, bad = run("check", "c.yaml")
    result = tests.runpytest_inprocess("--backprop")
    result.assert_outcomes(passed=2, failed=2)
    output = result.stdout.str()
    for printed in (off.partition("\n1 scenario")[0], bad):
        assert f"\n{printed.rstrip()}\n" in output
    assert "FAILED some/b.yml::check" in output


def test_a_file_that_is_named_is_a_test_whatever_is_in_it(tests):
    result = tests.runpytest_inprocess("--backprop", "compose.yaml")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["compose.yaml:*:*: *", "FAILED compose.yaml::check*"])


def test_all_files_share_the_oracles_which_end_with_pytest(tests, monkeypatch):
    started, ended = [], []

    class Counted:
        def __init__(self, **_):
            started.append(self)

        def __enter__(self):
            return None

        def __exit__(self, *_):
            ended.append(self)

    monkeypatch.setattr(headless, "Oracle", Counted)
    tests.runpytest_inprocess("--backprop", "some").assert_outcomes(passed=1, failed=1)
    assert (len(started), ended) == (1, started)


def test_without_the_option_no_scenario_is_a_test(tests):
    tests.runpytest_inprocess().assert_outcomes(passed=1)


def test_without_the_option_nothing_slow_is_imported(tests):
    code = "import pytest, sys; pytest.main(['-q']); print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert pytest_plugin.__name__ in loaded
    assert not {"torch", "textual", "numpy", "sympy", "backprop_engine"} & set(loaded)


def test_pytest_finds_the_plugin_by_itself():
    points = metadata.entry_points(group="pytest11", name="backprop")
    loaded = [point.load() for point in points]
    assert loaded == [pytest_plugin], "`make test` installs what pyproject.toml says anew"
