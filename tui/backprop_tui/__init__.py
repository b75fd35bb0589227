"""A step-through debugger for gradients, in the terminal.

>>> import backprop_tui
>>> with backprop_tui.record("run.bp"):
...     loss = model(x).pow(2).mean()
...     loss.backward()

records what PyTorch really does in the block. To import this package imports nothing that is slow.
"""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from backprop_recorder.recorder import Recorder

__all__ = ["record", "step"]


def record(
    path: str | os.PathLike[str],
    *,
    iterations: int | None = None,
    keep: int = 3,
    until_nan: bool = False,
    values: float | Literal["all"] = 64,
    stats: Literal["norm", "range"] = "norm",
    deep: bool = False,
) -> AbstractContextManager[Recorder]:
    """Records what happens in the block into `path`, which holds its source, too.

    An iteration ends with `optimizer.step()`, or with a backward pass where there is no optimiser;
    after `iterations` of them the block goes on unrecorded. `until_nan` records until a loss, a
    gradient or an update is nan or infinite, and keeps the last `keep` iterations. `values` is how
    many megabytes of whole values the file may hold; small ones are always whole, of others there
    are the norm and 64 elements; with `stats="range"` the least and the greatest as well;
    with `deep`, which is many times slower, the values inside of calls like `nn.GRU` too. The
    recorder's `faults` are its own mistakes, which never reach the program.

    Raises OSError where the file cannot be made, RecordingAlreadyError inside of such a block.
    """
    from backprop_recorder.recorder import Recorder

    return Recorder(
        Path(path),
        iterations=iterations,
        keep=keep if until_nan else None,
        until_nan=until_nan,
        values=float("inf") if values == "all" else values,
        with_range=stats == "range",
        deep=deep,
    )


def step(
    loss: Any, gradient: Any = None, *, retain_graph: bool | None = None, create_graph: bool = False
) -> Any:
    """`loss.backward()`, recorded, and the debugger on it here, as `breakpoint()` does.

    The program goes on when the debugger is left. In a notebook what is returned shows every step;
    where there is no terminal a line on standard error says so. What backward() raises is raised
    once it was shown.
    """
    from backprop_tui.headless.stepping import step as stepped

    return stepped(loss, gradient, retain_graph=retain_graph, create_graph=create_graph)


def load_ipython_extension(shell: Any) -> None:
    """`%load_ext backprop_tui`: then `%%backprop` runs a cell, and traces show themselves."""
    from backprop_tui.notebook import load

    load(shell)
