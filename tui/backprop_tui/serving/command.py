"""`backprop-tui serve`: what may be served, and what is said before it is."""

from __future__ import annotations

import argparse
import asyncio
import errno
import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from backprop_engine.basics.sanitised import printable
from backprop_tui.app.signals import end_in_order
from backprop_tui.opening.bundled import bundled_scenarios
from backprop_tui.opening.targets import Refusal, open_target
from backprop_tui.serving.reach import SERVED
from backprop_tui.serving.server import Server, is_loopback
from backprop_tui.serving.visitor import Visit

_NEEDED: Final = ("aiohttp", "textual_serve")
_BAD: Final = 2


def serve(options: argparse.Namespace) -> int:
    """Serve what is asked for until it is ended; the exit code."""
    if not all(map(find_spec, _NEEDED)):
        return _refuse("serve needs two packages more: pip install 'backprop-tui[serve]'")
    served = bundled_scenarios() if options.served is None else Path(options.served)
    reason = _not_served(served)
    if reason:
        return _refuse(reason)
    opened = None if served.is_dir() else open_target(served)
    if isinstance(opened, Refusal) and not opened.is_lesson:
        sys.stderr.write(f"{opened.error.render()}\n")
        return _BAD
    visit = Visit(served, torch=options.torch)
    server = Server(visit, host=options.host, port=options.port, most=options.most)

    try:
        return asyncio.run(_until_told(server, _told(options.host, options.most)))
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return _refuse(f"port {options.port} is taken; give another with --port")
        host = printable(options.host)
        return _refuse(f"{host} is no address that this machine can serve at: {_reason(error)}")


async def _until_told(server: Server, told: str) -> int:
    """Serve until a signal says to end; its exit code."""
    ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    end_in_order(lambda code: None if ended.done() else ended.set_result(code))
    async with server.running():
        sys.stdout.write(f"{server.address}\n")
        sys.stdout.flush()
        sys.stderr.write(told)
        return await ended


def _not_served(path: Path) -> str:
    """Why visitors are not shown it; empty where they are."""
    name = printable(str(path))
    if not path.exists():
        return f"{name}: there is no such file"
    if not path.is_dir() and not {path.suffix, path.resolve().suffix} <= SERVED:
        return f"{name}: only scenarios (.yaml, .yml), recordings (.bp) and folders are served"
    return ""


def _reason(error: OSError) -> str:
    code = error.errno or 0
    return os.strerror(code) if code > 0 else str(error.strerror)  # a name server has its own


def _told(host: str, most: int) -> str:
    """What the address means, beside it."""
    people = "one person" if most == 1 else f"{most} people"
    if is_loopback(host):
        return f"for {people} at once, on this machine alone; ctrl+c ends it\n"
    return (
        f"for {people} at once: everybody who has this address and reaches this machine can step "
        "through what is served.\nIt goes over the network unencrypted, the address with it. "
        "ctrl+c ends it\n"
    )


def _refuse(message: str) -> int:
    sys.stderr.write(f"backprop-tui: {message}\n")
    return _BAD
