"""Eight people in their browsers, each with a key every half a second: how long until it shows."""

from __future__ import annotations

import asyncio
import os
import re
import statistics
import time
from pathlib import Path
from typing import Any

import pytest
from tests.benchmarks.conftest import ROOT
from tests.serving.conftest import Guest, served

pytestmark = pytest.mark.timeout(300)
VISITORS, KEYS, GAP, SETTLED = 8, 10, 0.5, 3.0
_ESCAPE = re.compile(rb"\x1b\[[^a-zA-Z]*[a-zA-Z]")


async def until(socket: Any, done: int) -> None:
    """Until the timeline's number is drawn, which comes last; what stays as it is is not."""
    drawn = ""
    while not re.search(rf"[─━╸]\s+{done}\b", drawn):
        drawn += _ESCAPE.sub(b"", await socket.receive_bytes()).decode()


async def steps(guest: Guest, offset: float, are_there: asyncio.Barrier) -> list[float]:
    """Milliseconds from each `s` to the step's number on the screen."""
    await guest.open()
    async with guest.terminal() as socket:
        await until(socket, 0)
        await are_there.wait()
        await asyncio.sleep(SETTLED + offset)
        took = []
        for done in range(1, KEYS + 1):
            start = time.monotonic()
            await socket.send_json(["stdin", "s"])
            await until(socket, done)
            took.append(1000 * (time.monotonic() - start))
            await asyncio.sleep(GAP)
    return took


async def test_a_key_of_eight_visitors_at_once(table: Any, tmp_path: Path) -> None:
    """In: the client's half, in this process with the server's. Out: start, the browser."""
    lesson = tmp_path / "basic.yaml"
    lesson.write_bytes((ROOT / "scenarios" / "basic.yaml").read_bytes())
    are_there = asyncio.Barrier(VISITORS)
    async with served(lesson, count=VISITORS) as guests:
        took = await asyncio.gather(
            *(steps(guest, GAP * at / VISITORS, are_there) for at, guest in enumerate(guests))
        )
    load = f"load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "–"
    keys = [milliseconds for visitor in took for milliseconds in visitor]
    table.bounded("key of 8 visitors", load, statistics.median(keys), at_most=100, unit=" ms")
