"""No test may read or write what belongs to the person who runs it."""

from __future__ import annotations

import os

# As in the process of the oracle: threads that wait for each other take ten times as long, and
# more where other tests run beside them. Torch reads it, as numpy does, when it is imported.
os.environ["OMP_NUM_THREADS"] = "1"

# A hundred interpreters are started, and each would compile the program anew, which takes half a
# second of the processor; what pytest makes of the tests is kept as well.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

import gc
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest
from hypothesis import settings
from tests.thorough import share

from backprop_tui.headless import run as headless
from backprop_tui.oracles.client import Oracle
from backprop_tui.oracles.sympy.client import SymbolicOracle

if threading.current_thread() is threading.main_thread():
    # Whoever starts the tests in the background may have these ignored, and children inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


sys.dont_write_bytecode = False

# How long an example takes is up to what else the machine has to do.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

# Torch and thousands of tests are a million objects. Left as it is, the collector walks them all
# again and again, which takes a sixth of the time.
gc.set_threshold(10_000, 10, 10)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave what is marked `thorough` to `make fuzz`, unless it is asked for by name."""
    if share(usual=False, thorough=True) or any("::" in argument for argument in config.args):
        return
    kept = [item for item in items if item.get_closest_marker("thorough") is None]
    config.hook.pytest_deselected(items=[item for item in items if item not in set(kept)])
    items[:] = kept


def pytest_sessionfinish() -> None:
    """What is left goes with the process: to free millions of objects first takes ten seconds."""
    gc.freeze()


@pytest.fixture(scope="session")
def _homes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("homes")


@pytest.fixture(autouse=True)
def _a_home_of_its_own(_homes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Configuration and state of the program, in folders that are thrown away."""
    home = tempfile.mkdtemp(dir=_homes)
    for variable in ("HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(variable, home)
    for variable in ("VISUAL", "EDITOR"):
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture(scope="session")
def oracle() -> Iterator[Oracle]:
    """One torch process for all tests in this one: to import torch takes longer than they do."""
    with Oracle() as running:
        yield running


@pytest.fixture(scope="session")
def symbolic_oracle() -> Iterator[SymbolicOracle]:
    """One sympy process; a slow machine is no reason for a skip."""
    with SymbolicOracle(time_limit=100) as running:
        yield running


class _Shared:
    """An oracle that does not end with the command."""

    def __init__(self, oracle: Oracle | SymbolicOracle) -> None:
        self.ask = oracle.ask
        self.forward = getattr(oracle, "forward", None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None


@pytest.fixture
def shared_oracles(
    oracle: Oracle, symbolic_oracle: SymbolicOracle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`check` asks the session's processes and does not end them."""
    monkeypatch.setattr(headless, "Oracle", lambda **_: _Shared(oracle))
    monkeypatch.setattr(headless, "SymbolicOracle", lambda **_: _Shared(symbolic_oracle))


@pytest.fixture
def as_main(monkeypatch: pytest.MonkeyPatch) -> None:
    """A script may run in this process: what it is told of itself is put back."""
    monkeypatch.setattr(sys, "argv", [])
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])
