"""A server of a folder of lessons, and people who come to it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from backprop_tui.serving.server import Server
from backprop_tui.serving.visitor import Visit


@pytest.fixture
def lessons(tmp_path: Path) -> Path:
    """Two lessons, what is no business of a visitor's, and ways out."""
    folder = tmp_path / "lessons"
    folder.mkdir()
    (folder / "square.yaml").write_text("title: A square\ninputs: {x: 3}\ncompute: y = x*x\n")
    (folder / "cube.yaml").write_text("title: A cube\ninputs: {x: 2}\ncompute: y = x**3\n")
    (folder / "program.py").write_text("import torch\n")
    private = tmp_path / "private"
    private.mkdir()
    (private / "secret.yaml").write_text("title: A secret\ninputs: {x: 1}\ncompute: y = x*x\n")
    (folder / "linked.yaml").symlink_to(private / "secret.yaml")
    (folder / "disguised.yaml").symlink_to(folder / "program.py")
    (folder / "away").symlink_to(private)
    return folder


class Guest:
    """Somebody who has opened the address, or has not."""

    def __init__(self, server: Server, session: aiohttp.ClientSession) -> None:
        self.server, self.session = server, session
        self.base, self.token = server.address.split("/?token=")

    async def get(self, path: str, **headers: str) -> aiohttp.ClientResponse:
        answer = await self.session.get(f"{self.base}{path}", headers=headers)
        await answer.read()
        return answer

    async def open(self) -> aiohttp.ClientResponse:
        return await self.get(f"/?token={self.token}")

    def terminal(self, **headers: str) -> Any:
        return self.session.ws_connect(
            f"{self.base}/ws?width=90&height=30", headers={"Origin": self.base, **headers}
        )


@asynccontextmanager
async def guests(server: Server, count: int = 1) -> AsyncIterator[list[Guest]]:
    async with server.running():
        sessions = [
            aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) for _ in range(count)
        ]
        try:
            yield [Guest(server, session) for session in sessions]
        finally:
            for session in sessions:
                await session.close()


def served(path: Path, count: int = 1, most: int = 8) -> AbstractAsyncContextManager[list[Guest]]:
    return guests(Server(Visit(path), host="127.0.0.1", port=0, most=most), count)
