"""No trace in this process of what a test of the oracles does to torch."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch


@pytest.fixture(autouse=True)
def _default_dtype() -> Iterator[None]:
    """Tests that rebuild a program in this process leave torch as it was for others."""
    before = torch.get_default_dtype()
    yield
    torch.set_default_dtype(before)
