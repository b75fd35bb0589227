"""The desk that follows the scenario's file, and reads it again when it has been saved."""

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
from backprop_engine.basics.source import STANDARD_INPUT, Source
from backprop_engine.recording.frames import is_recording
from backprop_tui.app import file_looks
from backprop_tui.app.desk import Host
from backprop_tui.app.signals import left_to_editor
from backprop_tui.opening.sessions import read_again
from backprop_tui.opening.targets import Refusal, Target
from backprop_tui.session.reload import carry
from backprop_tui.session.session import Session
from backprop_tui.session.stepping_in import stack
from backprop_tui.widgets.source_pane import step_line

_GONE_AFTER = 4
"""Looks that a file may be missing without a word: some editors take it away while they save."""
_READING = "Reading the file again"


class FileDesk:
    """Knows what is open, and what is wrong with it as it is now."""

    def __init__(self, host: Host, target: Target) -> None:
        self._host = host
        self._watched: file_looks.Watched | None = None
        self._missing = 0
        self.trouble: Refusal | None = None
        """Why the file, as it is now, cannot be opened; the last good run is on the screen."""
        self.begin(target)

    def begin(self, target: Target) -> None:
        """Begin to look at the file of what is being opened, before it is read."""
        self._host.soon.cancel(_READING)
        self.target, path = target, target if isinstance(target, Path) else None
        self.path = path
        """The file of the scenario that is open; None for a text without one."""
        self._watched = None if path is None else file_looks.begin(file_looks.look(path))
        self._missing, self.trouble = 0, None

    @property
    def came(self) -> str:
        """Where a scenario without a file is from."""
        is_piped = isinstance(self.target, Source) and self.target.name == STANDARD_INPUT
        return "came from standard input" if is_piped else "was given with -e"

    def look(self) -> None:
        """Look at the file, and read it again if it has been saved."""
        if self.path is None or self._watched is None or self._host.soon.is_at(_READING):
            return
        self._watched, is_due = file_looks.after(self._watched, file_looks.look(self.path))
        self._missing = self._missing + 1 if self._watched.is_gone else 0
        if self._missing == _GONE_AFTER:
            self._host.say(f"{self.path.name} is gone; what was read last stays, until it is back")
        if is_due:
            self._read()

    def look_at_once(self) -> None:
        """Read the file if it is another one than was read last, settled or not."""
        if self.path is None or self._watched is None:
            return
        if file_looks.look(self.path) != self._watched.read:
            self.read_again()

    def read_again(self) -> None:
        """Read the file now, saved or not."""
        if self.path is None:
            self._host.say(f"this scenario has no file: it {self.came}")
        elif not self._host.soon.is_at(_READING):
            self.begin(self.target)
            self._read()

    def edit(self, session: Session, suspend: Callable[[], AbstractContextManager[None]]) -> None:
        """Open the file in the person's editor at the step's line, and look at it afterwards."""
        if self.path is None:
            self._host.say(f"this scenario has no file to edit: it {self.came}")
        elif is_recording(self.path):
            self._host.say("a recording is not edited; change the program, and record it again")
        else:
            self._host.say(edited(self.path, step_line(stack(session)[-1]), suspend))
            self.look_at_once()

    def _read(self) -> None:
        session, target = self._host.session, self.target
        if session is None:
            return
        if not self._host.soon(_READING, lambda _: read_again(target, session), self._take):
            self._host.say("reading again …")

    def _take(self, result: Session | Refusal) -> None:
        self.trouble = result if isinstance(result, Refusal) else None
        if isinstance(result, Refusal):
            self._host.say("")
            self._host.redraw()
        elif self._host.session is not None:
            self._host.session = carry(self._host.session, result)


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
