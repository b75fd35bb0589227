"""Which editor a person uses, how it is told the line, and what to say where it fails."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final

from textual.app import SuspendNotSupported

from backprop_engine.basics.dataclass import dataclass
from backprop_tui.app.signals import left_to_editor

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
    variable: str = "EDITOR"
    """The one to set for another editor."""
    told: str = ""
    """What to say of it, where nobody has chosen it."""


def find_editor(environment: Mapping[str, str], which: Callable[[str], str | None]) -> Editor | str:
    """The editor of $VISUAL, else of $EDITOR, else one that is there; or why there is none."""
    for variable in ("VISUAL", "EDITOR"):
        written = environment.get(variable, "").strip()
        if not written:
            continue
        if which(written):  # a path with blanks, or with a quote
            return Editor((written,), variable)
        try:
            command = tuple(shlex.split(written))
        except ValueError:
            return f"${variable} cannot be read, a quote in it is not closed: {written}"
        if not command[0]:
            return f"${variable} names no command: {written}"
        return Editor(command, variable)
    for name in _FALLBACKS:
        if which(name):
            return Editor((name,), told=f"neither $VISUAL nor $EDITOR is set, so this was {name}")
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


def edited(path: Path, line: int, lend: Callable[[], AbstractContextManager[None]]) -> str:
    """Run the person's editor while the terminal is lent to it; what there is to say of it."""
    editor = find_editor(os.environ, shutil.which)
    if isinstance(editor, str):
        return editor
    try:
        with lend(), left_to_editor():  # Textual (8.2.8) stays suspended where this raises anything
            return run_editor(editor, path, line)
    except SuspendNotSupported:
        return "this terminal cannot be lent to an editor"


def run_editor(editor: Editor, path: Path, line: int) -> str:
    """Run it until it ends; what there is to say of it, else empty."""
    name = editor.command[0]
    try:
        code = subprocess.run(at_line(editor, path, line), check=False).returncode  # noqa: S603 - their editor
    except OSError as error:
        reason = error.strerror or str(error)
        return f"{name} cannot be started: {reason}; set ${editor.variable} to the editor you use"
    if code < 0:
        return f"{name} was ended by {signal.Signals(-code).name}"
    return f"{name} ended with exit code {code}" if code else editor.told
