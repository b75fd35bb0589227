"""The desk that follows the scenario's file, and reads it again when it has been saved."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from backprop_engine.basics.source import STANDARD_INPUT, Source
from backprop_engine.recording.frames import is_recording
from backprop_tui.app import file_looks
from backprop_tui.app.desk import Host
from backprop_tui.app.editor import edited
from backprop_tui.opening.sessions import read_again
from backprop_tui.opening.targets import Refusal, Target
from backprop_tui.session.reload.carrying import carry
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
