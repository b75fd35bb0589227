"""A child process from its own side: requests on standard input, an answer to each on one line."""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping
from typing import IO, Any

Answer = Callable[[Mapping[str, Any]], dict[str, Any]]
"""From a request to its reply; UnavailableError where the library is not there."""


class UnavailableError(Exception):
    """The library that would answer cannot be imported here."""


def serve(answer: Answer, requests: IO[str], replies: IO[str]) -> None:
    """Answer until the requests end."""
    for line in requests:
        request = json.loads(line)
        try:
            reply = answer(request)
        except UnavailableError as error:
            reply = {"unavailable": str(error)}
        except Exception as error:  # noqa: BLE001 - whatever the library raises is the answer
            reply = {"error": f"{type(error).__name__}: {error}"}
        reply["request"] = request["request"]
        replies.write(json.dumps(reply, separators=(",", ":")) + "\n")
        replies.flush()
        gc.collect()


def run(answer: Answer) -> None:
    """Serve on standard input and output."""
    # Whatever a library prints must not get between the replies.
    replies = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="ascii")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    # Ctrl+C reaches the whole terminal group; the parent decides about this process.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Graphs of millions of small objects are walked once, after the answer, not again and again.
    gc.disable()
    serve(answer, sys.stdin, replies)
