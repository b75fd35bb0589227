"""Terminals that are closed when a test is over."""

from __future__ import annotations

import pytest
from tests.e2e.terminal import Terminal


@pytest.fixture
def terminal():
    running = []

    def start(command, **environment):
        running.append(Terminal(command, **environment))
        return running[-1]

    yield start
    for one in running:
        one.child.close(force=True)
