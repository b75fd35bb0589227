"""The engine as a library: what its docstring shows is so."""

from __future__ import annotations

import doctest
import subprocess
import sys
from pathlib import Path

import pytest

import backprop_engine
from backprop_engine import Trace, load, record
from backprop_engine.basics.source import ScenarioError

ROOT = Path(__file__).parents[2]


def test_the_example_of_the_package_runs(monkeypatch):
    monkeypatch.chdir(ROOT)
    tried = doctest.testmod(backprop_engine)
    assert tried.attempted == 5
    assert not tried.failed


def test_a_trace_comes_of_a_file():
    trace = record(load(ROOT / "scenarios" / "cube.yaml"))
    assert isinstance(trace, Trace)
    assert trace.grad(trace.named("z"), len(trace)) == 27


def test_a_file_that_is_wrong_says_where(tmp_path):
    path = tmp_path / "bad.yaml"
    path.write_text("inputs: {x: 2}\ncompute: y = x^2\n")
    with pytest.raises(ScenarioError, match="is not a power here"):
        load(path)


def test_the_package_alone_imports_nothing():
    code = "import backprop_engine, sys; print('numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
