"""One process for all files that do no harm to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.thorough import share

from backprop_engine.trace import Trace
from backprop_tui.oracles.process import Child
from backprop_tui.oracles.yours.client import LEARNER, Learners
from backprop_tui.oracles.yours.examining import examine
from backprop_tui.oracles.yours.file import File
from backprop_tui.oracles.yours.finding import Finding

Examine = Callable[..., Finding]


# A process is ended after a minute of the processor, which all long searches together take.
@pytest.fixture(scope=share("module", "function"))
def child() -> Iterator[Child]:
    process = Child(LEARNER)
    yield process
    process.close()


@pytest.fixture
def examined(child: Child, tmp_path: Path) -> Examine:
    """What is found in a source, by itself or beside a trace."""

    def found(source: str, trace: Trace | None = None, name: str = "") -> Finding:
        path = tmp_path / "mine.py"
        path.write_text(source, encoding="utf-8")
        return examine(Learners(File(str(path), name), child=child), trace)

    return found
