"""A child process from its own side: requests on standard input, an answer to each on one line.

The end of standard input is the end of the process, at once and whatever it is doing: its pipe
closes when the parent has gone, however that came about.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import queue
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import IO, Any

from backprop_tui.oracles.memory import give_back_memory

Answer = Callable[[Mapping[str, Any]], dict[str, Any]]
"""From a request to its reply; UnavailableError where the library is not there."""

_PR_SET_PDEATHSIG = 1
"""From linux/prctl.h."""


class UnavailableError(Exception):
    """The library that would answer cannot be imported here."""


def serve(answer: Answer, requests: Iterable[str], replies: IO[str]) -> None:
    """Answer until the requests end."""
    for line in requests:
        request = json.loads(line)
        number = request["request"]
        replies.write(reply_to(answer, request, number) + "\n")
        replies.flush()
        del request
        gc.collect()
        # What is left are the libraries: never again to be walked, which for torch takes longer
        # than a small program does.
        gc.freeze()
        give_back_memory()


def reply_to(answer: Answer, request: Mapping[str, Any], number: int) -> str:
    """The line that answers a request; what the library raises is an answer as well."""
    try:
        return _encoded(answer(request), number)
    except UnavailableError as error:
        return _encoded({"unavailable": str(error)}, number)
    except MemoryError:
        return _encoded({"memory": True}, number)
    except Exception as error:  # noqa: BLE001 - whatever the library raises is the answer
        return _encoded({"error": f"{type(error).__name__}: {error}"}, number)


def _encoded(reply: dict[str, Any], number: int) -> str:
    return json.dumps({**reply, "request": number}, separators=(",", ":"))


def run(answer: Answer) -> None:
    """Serve on standard input and output; the end of the input ends the process."""
    replies = take_output()
    live_no_longer_than_the_parent()
    # Graphs of millions of small objects are walked once, after the answer, not again and again.
    gc.disable()
    serve(answer, requests_of(sys.stdin), replies)


def take_output() -> IO[str]:
    """Standard output, for us alone: whatever a library prints must not get between the replies."""
    replies = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="ascii")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return replies


def requests_of(stream: IO[str]) -> Iterable[str]:
    """The lines of `stream`, read by a thread that ends the process when there are no more."""
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()

    def listen() -> None:
        for line in stream:
            lines.put(line)
        os._exit(0)

    threading.Thread(target=listen, daemon=True).start()
    return iter(lines.get, None)


def live_no_longer_than_the_parent() -> None:
    """Leave ctrl+c to the parent, and die with it even where no thread of ours can run.

    A library may compute for minutes without letting Python's other threads run. On Linux the
    kernel then does it; elsewhere the process ends with that computation.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        # The signal comes when the *thread* that started us ends: `client` sees to that.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
