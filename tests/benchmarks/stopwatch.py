"""Measures one program of this folder in a process of its own: `stopwatch MODULE:FUNCTION`.

The function prepares, and returns what is timed; the answer is the median of a few runs. With
`+collector` behind its name Python's cyclic collector runs as it does by default; else it is off.
With `+once` it runs once and without warming up, for what takes seconds. With `+memory` the answer
is the memory, in bytes, that the result of the first run holds.
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
SHORT = 0.02
"""Seconds: shorter runs are timed so many at once that they take at least this long, as `timeit`
does. Before each timing the collector empties the caches, which a run of 2 ms would feel."""


def seconds(run: Callable[[], Any], *, times: int = 1, collecting: bool = False) -> float:
    """CPU seconds of one run, out of so many in a row; what is made is kept till then."""
    gc.collect()
    gc.freeze()  # what is there already is not for `run` to pay for
    if not collecting:
        gc.disable()
    start = time.process_time()
    for _ in range(times):
        made = run()
    took = time.process_time() - start
    del made  # who waits for it looks at it next, and frees nothing
    gc.enable()
    gc.unfreeze()
    return took / times


def held() -> int:
    """Bytes of this process that are in memory."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize()


def main() -> None:
    """Print the seconds of a run, after one to warm up; or the memory of the first."""
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
    if wish == "once":
        print(seconds(run))
        return
    times = 1 + int(SHORT / seconds(run))
    collecting = wish == "collector"
    print(
        statistics.median(seconds(run, times=times, collecting=collecting) for _ in range(ROUNDS))
    )


if __name__ == "__main__":
    main()
