"""Scenarios as tests: `pytest --backprop scenarios/` collects them, and does nothing without it.

Only pytest is imported here, as every run of pytest in this environment imports the module.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from backprop_tui.headless.outcome import Outcome

_COMPUTES = re.compile(rb"^[\"']?compute[\"']?\s*:", re.MULTILINE)
_CHECK = pytest.StashKey[Callable[[str], "Outcome"]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--backprop`."""
    group = parser.getgroup("backprop")
    group.addoption("--backprop", action="store_true", help="check scenarios (*.yaml) as tests")


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> ScenarioFile | None:
    """A scenario: a YAML file that is named, or that computes something."""
    if not parent.config.getoption("backprop") or file_path.suffix not in (".yaml", ".yml"):
        return None
    if parent.session.isinitpath(file_path) or _COMPUTES.search(file_path.read_bytes()):
        file: ScenarioFile = ScenarioFile.from_parent(parent, path=file_path)
        return file
    return None


class ScenarioFile(pytest.File):
    """A file with one scenario."""

    def collect(self) -> Iterator[pytest.Item]:
        """Its only test."""
        yield ScenarioTest.from_parent(self, name="check")


class ScenarioTest(pytest.Item):
    """It passes where `check` says that all is right."""

    def runtest(self) -> None:
        """Check it, with the oracles of the session."""
        if _CHECK not in self.config.stash:
            self.config.stash[_CHECK] = _started(self.config)
        folder = self.config.invocation_params.dir
        path = self.path.relative_to(folder) if self.path.is_relative_to(folder) else self.path
        outcome = self.config.stash[_CHECK](str(path))
        if outcome.case.faults:
            raise _OffError(outcome.printed + outcome.complaint)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], *_: Any) -> Any:
        """What `check` prints."""
        if isinstance(excinfo.value, _OffError):
            return str(excinfo.value).rstrip("\n")
        return super().repr_failure(excinfo)

    def reportinfo(self) -> tuple[Path, None, str]:
        """Where it is, and its name."""
        return self.path, None, self.path.name


class _OffError(Exception):
    """With what `check` prints of it."""


def _started(config: pytest.Config) -> Callable[[str], Outcome]:
    """What checks a file, until pytest ends."""
    from backprop_tui.config.folders import config_file
    from backprop_tui.config.time_limits import read_time_limits
    from backprop_tui.headless.printer import printer
    from backprop_tui.headless.run import checking
    from backprop_tui.headless.workers import How

    limits, _ = read_time_limits(config_file())
    how = How(json=False, symbolic=True, out=printer(io.StringIO()), limits=limits)
    stack = ExitStack()
    config.add_cleanup(stack.close)
    return stack.enter_context(checking(how, torch=True))
