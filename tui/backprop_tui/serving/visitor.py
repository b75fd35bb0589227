"""One visitor: a process with the app, and what goes between it and a browser.

The process reads and writes packets of Textual's: a letter, the length, and D with what a terminal
sends or shows, or M with an object in JSON. The browser's half (textual-serve's) sends arrays.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import struct
import sys
import tempfile
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from backprop_engine.basics.dataclass import dataclass

if TYPE_CHECKING:
    from aiohttp.web import WebSocketResponse

_READY: Final = b"__GANGLION__\n"
_HEAD: Final = struct.Struct(">cI")
_FAREWELL: Final = 2.0
"""Seconds that a process has to end by itself."""
_LEAST, _MOST_COLUMNS, _MOST_ROWS = 10, 500, 200
"""Cells of a screen; a window may be as large as it likes."""


@dataclass(frozen=True, slots=True)
class Visit:
    """What visitors are shown."""

    served: Path
    torch: bool = False

    @asynccontextmanager
    async def process(self, width: int, height: int) -> AsyncIterator[Process]:
        """A process with state of its own, which ends with the block and leaves nothing."""
        with tempfile.TemporaryDirectory(
            prefix="backprop-tui-", ignore_cleanup_errors=True
        ) as state:
            served = self.served.resolve()
            # From the folder above, so that no visitor is told what that is called; -P, so that
            # no module is imported from there.
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "backprop_tui.serving.visit"),
                *(served.name, state, "torch" if self.torch else ""),
                stdin=PIPE,
                stdout=PIPE,
                cwd=served.parent,
                env=_environment(width, height),
                process_group=None if sys.platform == "win32" else 0,  # ctrl+c is the server's
            )
            try:
                yield process
            finally:
                await _end(process)


def _environment(width: int, height: int) -> dict[str, str]:
    """Ours, but for what is said of a terminal in it: the browser's is another."""
    kept = {name: text for name, text in os.environ.items() if name not in ("NO_COLOR", "TERM")}
    width, height = _size(width, height)
    size = {"COLUMNS": str(width), "ROWS": str(height), "LINES": str(height)}
    return {**kept, **size, "TEXTUAL_COLOR_SYSTEM": "truecolor", "PYTHONDONTWRITEBYTECODE": "1"}


def _size(width: int, height: int) -> tuple[int, int]:
    return (
        min(max(width, _LEAST), _MOST_COLUMNS),
        min(max(height, _LEAST), _MOST_ROWS),
    )


async def _end(process: Process) -> None:
    """Let it end, as it does when nobody speaks to it any more; else make it."""
    with suppress(TimeoutError, ConnectionError):
        await asyncio.wait_for(process.communicate(b""), _FAREWELL)
    if process.returncode is None:
        with suppress(ProcessLookupError):
            if sys.platform == "win32":
                process.kill()
            else:
                os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


async def show(process: Process, socket: WebSocketResponse) -> None:
    """Bring what the process draws to the browser, and keys and mouse back, until one ends."""
    drawing = asyncio.create_task(_draw(process, socket))
    try:
        await _type(process, socket)
    finally:
        drawing.cancel()
        with suppress(asyncio.CancelledError):
            await drawing


async def _draw(process: Process, socket: WebSocketResponse) -> None:
    assert process.stdout is not None  # noqa: S101 - it is a pipe
    read = process.stdout.readexactly
    with suppress(asyncio.IncompleteReadError, ConnectionError):
        await process.stdout.readuntil(_READY)
        while True:
            kind, length = _HEAD.unpack(await read(_HEAD.size))
            payload = await read(length)
            if kind == b"D":
                await socket.send_bytes(payload)
    await socket.close()


async def _type(process: Process, socket: WebSocketResponse) -> None:
    assert process.stdin is not None  # noqa: S101 - it is a pipe
    with suppress(ConnectionError):
        async for message in socket:
            process.stdin.write(packet(message.data))
            await process.stdin.drain()


def packet(sent: Any) -> bytes:
    """What the process is told of what a browser has sent; empty for nothing it need know."""
    try:
        told = json.loads(sent) if isinstance(sent, str) else None
    except (ValueError, RecursionError):
        return b""
    match told:
        case ["stdin", str(text)]:
            return _packed(b"D", text.encode("utf-8", "replace"))
        case ["resize", {"width": int(width), "height": int(height)}]:
            width, height = _size(width, height)
            resize = {"type": "resize", "width": width, "height": height}
            return _packed(b"M", json.dumps(resize).encode())
    return b""


def _packed(kind: bytes, payload: bytes) -> bytes:
    return _HEAD.pack(kind, len(payload)) + payload
