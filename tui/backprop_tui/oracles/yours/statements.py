"""A learner's file run statement by statement: what only tries something out may fail.

Standard library alone: this runs in the process that runs the learner's file.
"""

from __future__ import annotations
import __future__

import ast
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final

from backprop_tui.oracles.yours.limits import RefusedError

_SECONDS: Final = 3.0
"""What a statement at top level may take: a training loop is not waited for."""
_NEEDED: Final = (
    ast.Import, ast.ImportFrom, ast.ClassDef, ast.FunctionDef, ast.Raise, ast.While
)  # fmt: skip
_HARMFUL: Final = (RefusedError, MemoryError, EOFError, RuntimeError)


class TooLongError(BaseException):
    """A statement is not waited for; no `except Exception` of the learner's holds that up."""

    def __str__(self) -> str:
        return f"it takes longer than {_SECONDS:g} seconds"


def run_leniently(
    tree: ast.Module, path: str, names: dict[str, Any], absent: list[str]
) -> dict[int, BaseException]:
    """Run a file's statements; by line those that were left out, and why.

    Raises what a definition, an import of a package that is not `absent`, or harm raises.
    """
    left_out: dict[int, BaseException] = {}
    for node in tree.body:
        try:
            with _in_time(isinstance(node, _NEEDED)):
                exec(_compiled(tree, node, path), names)  # noqa: S102 - that is what it is for
        except (Exception, TooLongError) as error:
            is_import = isinstance(error, ModuleNotFoundError) and error.name not in absent
            if isinstance(node, _NEEDED) or isinstance(error, _HARMFUL) or is_import:
                raise
            left_out[node.lineno] = error
    return left_out


def _compiled(tree: ast.Module, node: ast.stmt, path: str) -> Any:
    is_postponed = any(
        isinstance(each, ast.ImportFrom) and each.module == "__future__" for each in tree.body
    )
    flags = __future__.annotations.compiler_flag if is_postponed else 0
    return compile(ast.Module([node], []), path, "exec", flags, dont_inherit=True)


@contextmanager
def _in_time(is_needed: bool) -> Iterator[None]:
    """Leave a statement that takes too long, where the system has timers for that."""
    if is_needed or not hasattr(signal, "setitimer"):
        yield
        return

    def leave(_number: int, _frame: FrameType | None) -> None:
        raise TooLongError

    before = signal.signal(signal.SIGALRM, leave)
    signal.setitimer(signal.ITIMER_REAL, _SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
