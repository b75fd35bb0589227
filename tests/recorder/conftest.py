"""Recorders look through all objects for an optimiser: those of other tests are out of sight."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True, scope="module")
def _what_was_there_before_is_not_looked_at() -> Iterator[None]:
    gc.freeze()
    yield
    gc.unfreeze()
