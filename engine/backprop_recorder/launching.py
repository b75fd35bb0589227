"""Runs a person's script as `python SCRIPT` would, with a recorder beside it."""

from __future__ import annotations

import builtins
import runpy
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType, TracebackType

from torch.overrides import handle_torch_function

from backprop_recorder.places import HERE
from backprop_recorder.recorder import Recorder

INTERRUPTED = 130
_HANDED_OVER = handle_torch_function.__code__


class EnoughRecorded(SystemExit):
    """Ends a script of which enough is recorded."""


@dataclass(frozen=True)
class Program:
    """A script, or a module with `-m`, and its arguments."""

    name: str
    arguments: Sequence[str]
    is_module: bool = False


def run(program: Program, recorder: Recorder) -> int:
    """Run it to its end; its exit code. `recorder` is closed then."""
    sys.argv = [program.name, *program.arguments]
    error: BaseException | None = None
    code = 0
    recorder.start()
    try:
        if program.is_module:
            sys.path[0] = str(Path.cwd())
            runpy.run_module(program.name, run_name="__main__", alter_sys=True)
        else:
            _run_script(program.name)
    except EnoughRecorded:
        pass
    except SystemExit as request:
        code = _exit_code(request)
    except KeyboardInterrupt:
        code = INTERRUPTED
    except BaseException as caught:  # noqa: BLE001 - whatever ends a script
        error, code = caught, 1
        recorder.close(caught)
        without_our_frames(caught)
        sys.excepthook(type(caught), caught, caught.__traceback__)
    finally:
        recorder.close(error)
    return code


def _run_script(name: str) -> None:
    path = Path(name).absolute()
    main = ModuleType("__main__")
    main.__dict__.update(
        __loader__=SourceFileLoader("__main__", str(path)), __annotations__={},
        __builtins__=builtins, __file__=str(path), __cached__=None,
    )  # fmt: skip
    sys.path[0] = str(path.resolve().parent)
    sys.modules["__main__"] = main
    exec(compile(path.read_bytes(), str(path), "exec"), main.__dict__)  # noqa: S102 - it is to be run


def _exit_code(request: SystemExit) -> int:
    if request.code is None or isinstance(request.code, int):
        return request.code or 0
    sys.stderr.write(f"{request.code}\n")
    return 1


def without_our_frames(error: BaseException) -> None:
    """Let its traceback, and those of what it came from, be what they would be without us."""
    pending: list[BaseException | None] = [error]
    seen: set[int] = set()
    while pending:
        value = pending.pop()
        if value is None or id(value) in seen:
            continue
        seen.add(id(value))
        kept: list[TracebackType] = []
        for frame in _frames(value):
            code = frame.tb_frame.f_code
            if code is _HANDED_OVER:
                kept[-1:] = []  # a function of torch's, which is called again once we were told
            elif not _is_ours(code.co_filename):
                kept.append(frame)
        following: TracebackType | None = None
        for frame in reversed(kept):
            frame.tb_next = following
            following = frame
        value.__traceback__ = following
        pending += [value.__cause__, value.__context__]


def _frames(error: BaseException) -> list[TracebackType]:
    found, at = [], error.__traceback__
    while at is not None:
        found.append(at)
        at = at.tb_next
    return found


def _is_ours(file: str) -> bool:
    return file.startswith((HERE, "<frozen runpy>"))
