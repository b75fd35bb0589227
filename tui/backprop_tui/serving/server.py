"""The server: who may come in, how many, and what they are given.

A page of another site could speak to a server on this machine too, so a secret in the address, a
cookie that other sites cannot send, and what the browser says of where a request comes from are
all asked for. There is one handler for all requests, so that nothing is answered unasked.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import secrets
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from backprop_tui.serving.visitor import Visit, show

if TYPE_CHECKING:
    from aiohttp import web

_LOG: Final = logging.getLogger(__name__)
_PAGE: Final = Path(__file__).with_name("page")
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; font-src 'self'; "
    "connect-src 'self' {socket}; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
"""The terminal writes styles as it draws; nobody else's address is ever asked."""
_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_MOST_SENT: Final = 2**20
"""Bytes of one message: a text that is pasted."""
_HEARTBEAT: Final = 15.0
"""Seconds after which a browser that has gone away without a word is noticed."""


def _is_our_fault(record: logging.LogRecord) -> bool:
    """Whether it is told; of what strangers send that is no request there is nothing to tell."""
    from aiohttp.http_exceptions import HttpProcessingError

    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))


_LOG.addFilter(_is_our_fault)


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches it."""
    return host == "localhost" or (_is_address(host) and ipaddress.ip_address(host).is_loopback)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


class Server:
    """Serves `visit` to `most` people at once."""

    def __init__(self, visit: Visit, *, host: str, port: int, most: int) -> None:
        """`port` 0 is any that is free."""
        self._visit, self._host, self.port, self._most = visit, host, port, most
        self._token = secrets.token_urlsafe(24)
        self._sockets: set[web.WebSocketResponse] = set()

    @property
    def address(self) -> str:
        """What a visitor opens."""
        everywhere = self._host in ("0.0.0.0", "::")  # noqa: S104 - compared
        host = socket.gethostname() if everywhere else self._host
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}/?token={self._token}"

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Serve in the block, then send everybody away; OSError if it cannot begin."""
        from aiohttp import web

        application = web.Application()
        application.router.add_get("/{name:.*}", self._answer, allow_head=False)
        application.on_shutdown.append(self._close)
        runner = web.AppRunner(application, access_log=None, logger=_LOG)
        await runner.setup()
        try:
            await web.TCPSite(runner, self._host, self.port).start()
            self.port = runner.addresses[0][1]
            yield
        finally:
            await runner.cleanup()

    async def _close(self, _: web.Application) -> None:
        await asyncio.gather(*(open_.close() for open_ in self._sockets))

    # Who may come in

    def _refusal(self, request: web.Request) -> str:
        """Why there is no answer; empty where there is one."""
        host = request.headers.get("Host", "")
        if not self._is_ours(host):
            return "this server does not have that name"
        origin = request.headers.get("Origin")
        if origin != f"http://{host}" and (origin is not None or request.path == "/ws"):
            return "another site asks for this"
        given = request.cookies.get(self._cookie, "")
        if request.path == "/":
            given = request.query.get("token", given)
        if not secrets.compare_digest(given.encode("utf-8", "replace"), self._token.encode()):
            return "open the address that `backprop-tui serve` has printed"
        return ""

    def _is_ours(self, host: str) -> bool:
        """Whether nobody's name server can have led here; a number needs none."""
        try:
            name, port = urlsplit(f"//{host}").hostname or "", urlsplit(f"//{host}").port or 80
        except ValueError:
            return False
        ours = {"localhost", self._host.lower()}
        if not is_loopback(self._host):
            ours.add(socket.gethostname().lower())
        return port == self.port and (name in ours or _is_address(name))

    @property
    def _cookie(self) -> str:
        """Cookies know no ports, and another server may run on another one."""
        return f"backprop-tui-{self.port}"

    # What they are given

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        from aiohttp import web

        refusal = self._refusal(request)
        if refusal:
            return web.Response(status=403, text=f"{refusal}\n")
        if request.path in ("/", "/ws") and len(self._sockets) >= self._most:
            full = f"all {self._most} places are taken; try again when somebody has left\n"
            return web.Response(status=503, text=full)
        if request.path == "/ws":
            return await self._receive(request)
        path = _files().get(request.path)
        if path is None:
            return web.Response(status=404, text="there is no such page\n")
        policy = _POLICY.format(socket=f"ws://{request.headers['Host']}")
        answer = web.FileResponse(path, headers={**_HEADERS, "Content-Security-Policy": policy})
        if request.path == "/":
            answer.set_cookie(self._cookie, self._token, httponly=True, samesite="Strict")
        return answer

    async def _receive(self, request: web.Request) -> web.StreamResponse:
        from aiohttp import web

        open_ = web.WebSocketResponse(heartbeat=_HEARTBEAT, max_msg_size=_MOST_SENT)
        self._sockets.add(open_)  # the place is taken before anybody else is heard
        try:
            await open_.prepare(request)
            size = (_cells(request, "width", 80), _cells(request, "height", 24))
            async with self._visit.process(*size) as process:
                await show(process, open_)
        finally:
            self._sockets.discard(open_)
        return open_


def _cells(request: web.Request, name: str, usual: int) -> int:
    text = request.query.get(name, "")
    return int(text) if text.isdecimal() and len(text) < 5 else usual


def _files() -> dict[str, Path]:
    """All there is, by its path: our page, and textual-serve's terminal and font."""
    spec = find_spec("textual_serve")
    assert spec is not None  # noqa: S101 - the command has looked
    assert spec.origin is not None  # noqa: S101
    static = Path(spec.origin).with_name("static")
    return {
        "/": _PAGE / "index.html",
        "/page.css": _PAGE / "page.css",
        "/page.js": _PAGE / "page.js",
        "/terminal.css": static / "css" / "xterm.css",
        "/terminal.js": static / "js" / "textual.js",
        "/mono.ttf": static / "fonts" / "RobotoMono-VariableFont_wght.ttf",
    }
