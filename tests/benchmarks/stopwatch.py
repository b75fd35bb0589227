"""Measures one program of this folder in a process of its own: `stopwatch MODULE:FUNCTION`.

The function prepares, and returns what is timed. With `+collector` behind its name Python's cyclic
collector runs as it does by default; else it is off. With `+memory` the answer is the memory, in
bytes, that the result of the first run holds.
"""

from __future__ import annotations

import gc
import importlib
import resource
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROUNDS = 5
ENOUGH = 0.5
"""Seconds: short runs are repeated until they come to so much together."""


def seconds(run: Callable[[], Any], *, collecting: bool = False) -> float:
    """CPU seconds of one run."""
    gc.collect()
    gc.freeze()  # what is there already is not for `run` to pay for
    if not collecting:
        gc.disable()
    start = time.process_time()
    result = run()
    took = time.process_time() - start
    del result
    gc.enable()
    gc.unfreeze()
    return took


def held() -> int:
    """Bytes of this process that are in memory."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize()


def main() -> None:
    """Print the median of a few runs, after one to warm up; or the memory of the first."""
    name, _, wish = sys.argv[1].partition("+")
    module, _, function = name.partition(":")
    sys.setrecursionlimit(20_000)  # micrograd sorts its graph by recursion
    prepare = getattr(importlib.import_module(module), function)
    if wish == "memory":
        importlib.import_module("torch")  # for both, so that it is in neither figure
        gc.collect()
        before = held()
        result = prepare()()
        gc.collect()
        print(held() - before)
        del result
        return
    run = prepare()
    run()
    taken: list[float] = []
    while len(taken) < ROUNDS or sum(taken) < ENOUGH:
        taken.append(seconds(run, collecting=wish == "collector"))
    print(statistics.median(taken))


if __name__ == "__main__":
    main()
