"""Visitors: each has a process and a state of their own, of which nothing is left."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import aiohttp
import pyte
import pytest
from tests.serving.conftest import Guest, served

PATIENCE = 20.0


class Terminal:
    """What a browser shows, without the browser."""

    def __init__(self, socket: Any) -> None:
        self.socket = socket
        self._screen = pyte.Screen(90, 30)
        self._stream = pyte.ByteStream(self._screen)

    @property
    def text(self) -> str:
        return "\n".join(self._screen.display)

    async def type(self, text: str) -> None:
        await self.socket.send_json(["stdin", text])

    async def until(self, words: str) -> str:
        try:
            async with asyncio.timeout(PATIENCE):
                while words not in self.text:
                    message = await self.socket.receive()
                    assert message.type is aiohttp.WSMsgType.BINARY, self.text
                    self._stream.feed(message.data)
        except TimeoutError:
            pytest.fail(f"{words!r} never came:\n{self.text}")
        return self.text

    async def until_it_ends(self) -> None:
        async with asyncio.timeout(PATIENCE):
            async for _ in self.socket:
                pass


def states() -> list[Path]:
    return list(Path(tempfile.gettempdir()).glob("backprop-tui-*"))


async def nothing_is_left() -> None:
    async with asyncio.timeout(PATIENCE):
        while states():
            await asyncio.sleep(0.02)


@pytest.fixture(autouse=True)
def _temporary_files_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


async def full(guest: Guest) -> int:
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await guest.terminal()
    assert "1 places are taken" in await (await guest.get("/")).text()
    return int(refused.value.status)


async def test_a_visitor_chooses_a_lesson_steps_and_is_refused_the_editor(lessons: Path) -> None:
    async with served(lessons, count=2, most=1) as [guest, other]:
        await guest.open()
        await other.open()
        async with guest.terminal() as socket:
            terminal = Terminal(socket)
            assert "2 files in lessons" in await terminal.until("A square")
            assert len(states()) == 1
            assert await full(other) == 503
            await terminal.type("\x1b[B\r")
            await terminal.until("lessons/square.yaml")
            await terminal.type("n")
            await terminal.until("start backward at y")
            await terminal.type("E")
            await terminal.until("this session is served: the editor")
            await terminal.type("q")
            await terminal.until_it_ends()
        async with asyncio.timeout(PATIENCE):
            while (await other.get("/")).status == 503:
                await asyncio.sleep(0.02)
        assert states() == []
        async with other.terminal() as socket:
            await Terminal(socket).until("A square")
        await nothing_is_left()


async def test_who_is_there_when_the_server_ends_is_sent_away(lessons: Path) -> None:
    async with served(lessons / "cube.yaml") as [guest]:
        await guest.open()
        socket = await guest.terminal()
        terminal = Terminal(socket)
        await terminal.until("cube.yaml · float64 · no torch")
    await terminal.until_it_ends()
    assert states() == []


def test_a_process_ends_without_a_word_or_a_trace_when_its_server_is_gone(
    lessons: Path, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    state.mkdir()
    with subprocess.Popen(
        [sys.executable, "-P", "-m", "backprop_tui.serving.visit", "cube.yaml", state, ""],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=lessons,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        while b"A cube" not in process.stdout.readline():
            pass  # it is up, and draws
        process.stdout.close()
        process.stdin.close()
        assert process.stderr.read() == b""
        assert process.wait(PATIENCE) == 0
    assert not state.exists()
