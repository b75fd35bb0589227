"""What a learner's file may take of the machine, and what it may not do to it.

A file that is asked for on the command line is as safe as running it oneself. These are limits for
accidents, an endless loop or a list without end, and not a cage.
"""

from __future__ import annotations

import os
import sys
from typing import Any, Final

CPU_SECONDS: Final = 60
MEMORY: Final = 4 * 2**30
_STARTING: Final = frozenset(
    ["os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.system", "os.exec", "pty.spawn",
     "subprocess.Popen", "os.startfile"]
)  # fmt: skip
_SIGNALS: Final = frozenset(["os.kill", "os.killpg"])
_CHANGING: Final = frozenset(
    ["os.remove", "os.rename", "os.rmdir", "os.truncate", "os.link", "os.symlink", "shutil.rmtree"]
)


class RefusedError(FileNotFoundError, PermissionError):
    """What a file that is judged may not do; whoever asks for `nvidia-smi` expects either."""


def limit() -> list[str]:
    """Set the limits of this process; the names of those that this system does not have."""
    missing = _limit_resources()
    sys.addaudithook(_refuse)
    sys.dont_write_bytecode = True
    return missing


def _limit_resources() -> list[str]:
    try:
        import resource
    except ImportError:
        return ["time of the processor", "memory", "processes", "files"]
    missing = []

    def lower(name: str, most: int, words: str) -> None:
        try:
            number = getattr(resource, name)
            _, hard = resource.getrlimit(number)
            most = most if hard == resource.RLIM_INFINITY else min(most, hard)
            resource.setrlimit(number, (most, most))
        except (AttributeError, ValueError, OSError):
            missing.append(words)

    lower("RLIMIT_CPU", CPU_SECONDS, "time of the processor")
    lower("RLIMIT_AS", MEMORY, "memory")
    lower("RLIMIT_NPROC", 0, "processes")
    lower("RLIMIT_FSIZE", 0, "files")
    if sys.platform == "darwin" and "memory" not in missing:
        missing.append("memory")  # it is taken, and nothing comes of it
    lower("RLIMIT_CORE", 0, "")
    return [words for words in missing if words]


def _refuse(event: str, arguments: tuple[Any, ...]) -> None:
    if event in _STARTING:
        raise RefusedError("a file that is judged may start no process")
    if event in _SIGNALS:
        raise RefusedError("a file that is judged may send no signal")
    if event in _CHANGING or (event == "open" and _writes(*arguments[:3])):
        raise RefusedError("a file that is judged may write no file")


def _writes(path: Any, mode: Any, flags: Any) -> bool:
    if path == os.devnull:
        return False
    if isinstance(mode, str):
        return not set("wax+").isdisjoint(mode)
    return isinstance(flags, int) and bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))
