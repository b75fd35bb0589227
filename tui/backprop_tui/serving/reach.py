"""What a visitor's process may touch on this machine: reads what is served, writes its own state.

The app refuses what does not belong to a visitor in words. `confine` is beneath it, so that what
the app does not think of is refused as well.
"""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path
from typing import Any, Final

from backprop_engine.basics.dataclass import dataclass
from backprop_tui.opening.bundled import bundled_scenarios

SERVED: Final = frozenset({".yaml", ".yml", ".bp"})
"""How the names of scenarios and recordings end; programs are not shown to visitors."""
_WRITES: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_CHANGES: Final = frozenset(
    f"os.{name}"
    for name in ("chmod", "chown", "link", "mkdir", "remove", "rename", "rmdir", "symlink",
                 "truncate", "utime")
)  # fmt: skip
_STARTS: Final = frozenset(
    {"os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.startfile",
     "os.startfile/2", "os.system", "pty.spawn"}
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Reach:
    """`served` is a file or a folder, `state` the folder that is this visitor's own."""

    served: Path
    state: Path

    def may_open(self, path: Path) -> bool:
        """Whether it is a scenario or a recording among what is served, or comes with us."""
        there = path.resolve()  # where a link leads
        roots = (self.served.resolve(), bundled_scenarios().resolve())
        return {path.suffix, there.suffix} <= SERVED and any(map(there.is_relative_to, roots))

    def may_write(self, path: Any) -> bool:
        """Whether it is the visitor's own; a number is a file that is open already."""
        if isinstance(path, int) or path == os.devnull:
            return True
        return Path(os.fsdecode(path)).resolve().is_relative_to(self.state.resolve())


def confine(reach: Reach) -> None:
    """From here on this process changes no file beyond `reach`, and starts nothing but Python.

    Whatever tries gets PermissionError. There is no way back. The oracles are the Python that is
    started; where torch is not asked it is sympy alone.
    """

    def refuse(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = arguments
            is_refused = bool(flags & _WRITES) and not reach.may_write(path)
        elif event in _CHANGES:
            paths = [path for path in arguments[:2] if isinstance(path, str | bytes | os.PathLike)]
            is_refused = not all(map(reach.may_write, paths))
        elif event == "subprocess.Popen":
            is_refused = arguments[0] != sys.executable
        else:
            is_refused = event in _STARTS
        if is_refused:
            raise PermissionError(errno.EPERM, f"a served session may not do this ({event})")

    sys.addaudithook(refuse)
