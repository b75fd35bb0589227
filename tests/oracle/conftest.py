"""One torch process for all oracle tests, and no trace of them in this one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from backprop_tui.oracles.client import Oracle


@pytest.fixture(autouse=True)
def _default_dtype() -> Iterator[None]:
    """Tests that rebuild a program in this process leave torch as it was for others."""
    before = torch.get_default_dtype()
    yield
    torch.set_default_dtype(before)


@pytest.fixture(scope="session")
def oracle() -> Iterator[Oracle]:
    with Oracle() as running:
        yield running
