"""Which editor a person uses, and how it is told the line."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_FALLBACKS: Final = ("editor", "nano", "vim", "vi")
_PLUS: Final = frozenset(
    {"vi", "vim", "nvim", "view", "gvim", "nano", "pico", "emacs", "emacsclient", "mg", "joe",
     "jed", "micro", "kak", "ne", "editor"}
)  # fmt: skip
_GOTO: Final = frozenset({"code", "code-insiders", "codium", "vscodium", "cursor", "windsurf"})
_COLON: Final = frozenset({"hx", "helix", "subl", "zed", "zeditor", "lapce"})


@dataclass(frozen=True, slots=True)
class Editor:
    """A command, and where it was found."""

    command: tuple[str, ...]
    told: str = ""
    """What to say of it, where nobody has chosen it."""


def find_editor(environment: Mapping[str, str], which: Callable[[str], str | None]) -> Editor | str:
    """The editor of $VISUAL, else of $EDITOR, else one that is there; or why there is none."""
    for variable in ("VISUAL", "EDITOR"):
        written = environment.get(variable, "").strip()
        if not written:
            continue
        try:
            return Editor(tuple(shlex.split(written)))
        except ValueError:
            return f"${variable} cannot be read: {written}"
    for name in _FALLBACKS:
        if which(name):
            return Editor((name,), f"neither $VISUAL nor $EDITOR is set, so this was {name}")
    return "no editor found: set $EDITOR to the one you use"


def at_line(editor: Editor, path: Path, line: int) -> list[str]:
    """The command that opens `path` at `line`, as far as the editor is known to have a way."""
    name = Path(editor.command[0]).stem.lower()
    if name in _PLUS:
        return [*editor.command, f"+{line}", str(path)]
    if name in _GOTO:
        return [*editor.command, "-g", f"{path}:{line}"]
    if name in _COLON:
        return [*editor.command, f"{path}:{line}"]
    return [*editor.command, str(path)]
