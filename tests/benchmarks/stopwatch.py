"""Times one program of this folder in a process of its own: `stopwatch MODULE:FUNCTION`.

The function prepares, and returns what is timed. With `+collector` behind its name Python's cyclic
collector runs as it does by default; else it is off.
"""

from __future__ import annotations

import gc
import importlib
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

ROUNDS = 5


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


def main() -> None:
    """Print the median of a few runs, after one to warm up."""
    name, _, collector = sys.argv[1].partition("+")
    module, _, function = name.partition(":")
    sys.setrecursionlimit(20_000)  # micrograd sorts its graph by recursion
    run = getattr(importlib.import_module(module), function)()
    run()
    taken = [seconds(run, collecting=bool(collector)) for _ in range(ROUNDS)]
    print(statistics.median(taken))


if __name__ == "__main__":
    main()
