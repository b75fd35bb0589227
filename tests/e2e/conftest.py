"""Terminals that are closed when a test is over."""

from __future__ import annotations

import pytest
from tests.e2e.terminal import Terminal


@pytest.fixture
def terminal():
    running = []

    def start(command, **how):
        running.append(Terminal(command, **how))
        return running[-1]

    yield start
    for one in running:
        one.child.close(force=True)
