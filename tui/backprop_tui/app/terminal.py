"""The terminal on Linux and macOS, which may be taken away, or stopped and continued, at any time.

Textual's driver begins anew whenever the process is continued, even where it has not been stopped:
a second thread would then read the keys, and nothing would ever end it. Its thread that writes
dies with the terminal, for which the app would wait for ever; its thread that reads dies of the
first byte that is no UTF-8, as a paste from a Latin-1 file has it, and the app with it.
"""

from __future__ import annotations

import errno
import os
import selectors
import signal
import termios
from codecs import getincrementaldecoder
from collections.abc import Callable, Iterator
from typing import IO, Any

from textual._xterm_parser import XTermParser
from textual.drivers.linux_driver import LinuxDriver
from textual.message import Message

_GONE = (errno.EIO, errno.EBADF, errno.ENXIO, errno.EPIPE)


class TerminalDriver(LinuxDriver):
    """Textual's driver, which begins anew only where it has ended, and survives its terminal."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        # Textual's thread writes and flushes, and asks no more of it.
        self._file = Output(self._file)  # type: ignore[assignment, arg-type]
        self._is_on = False
        self._was_stopped = False

    def start_application_mode(self) -> None:
        """Take the terminal over."""
        super().start_application_mode()  # type: ignore[no-untyped-call] # Textual's, untyped
        self._is_on = True

    def stop_application_mode(self) -> None:
        """Give the terminal back."""
        self._is_on = False
        super().stop_application_mode()

    # A handler of signals may interrupt whoever writes, and would wait for ever for its lock: what
    # writes to the terminal is left to the loop.

    def _sigtstp_application(self, *arguments: Any) -> None:
        if self._auto_restart:
            self._loop.call_soon_threadsafe(self._stop)
        else:
            super()._sigtstp_application(*arguments)

    def _stop(self) -> None:
        """Give the terminal back, stop, and when continued take it over again."""
        self._was_stopped = True
        super()._sigtstp_application()
        if self._is_there():
            super()._sigcont_application()

    def _sigcont_application(self, *_: Any) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._continue)

    def _continue(self) -> None:
        was_stopped, self._was_stopped = self._was_stopped, False
        # Stopped by what no program hears of (SIGSTOP), or not at all; the system sends this
        # behind the SIGHUP that tells of a closed terminal, too.
        if not was_stopped and self._is_on and self._auto_restart and self._is_there():
            self.suspend_application_mode()
            super()._sigcont_application()

    def run_input_thread(self) -> None:
        """Read keys as Textual (8.2.8) does; a byte that is no UTF-8 is read as �."""
        keys = Keys()
        decode = getincrementaldecoder("utf-8")("replace").decode
        with selectors.SelectSelector() as selector:
            selector.register(self.fileno, selectors.EVENT_READ)
            is_last = False
            while not is_last:
                is_last = self.exit_event.is_set()
                text = decode(os.read(self.fileno, 4096)) if selector.select(0.1) else ""
                for message in keys.read(text):
                    self.process_message(message)

    def _is_there(self) -> bool:
        try:
            termios.tcgetattr(self.fileno)
        except termios.error:
            return False
        return True


class Keys:
    """What keys, mouse and terminal say, from what the terminal sends."""

    def __init__(self) -> None:
        self._parser = XTermParser()

    def read(self, text: str) -> Iterator[Message]:
        """The messages in `text`, and those that have waited for a rest that does not come."""
        for sign in text:
            try:
                yield from self._parser.feed(sign)
            except (ValueError, ArithmeticError):
                # A sequence of a key that is no character, or of a window of no size: it means
                # nothing, and Textual's parser ends with it.
                self._parser = XTermParser()
        yield from self._parser.tick()


class Output:
    """What is written to a terminal that is gone goes nowhere, and the program is told to end."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self._is_gone = False

    def write(self, text: str) -> None:
        """Write `text`, as far as there is a terminal."""
        if not self._is_gone:
            self._attempt(lambda: self._file.write(text))

    def flush(self) -> None:
        """See to it that it arrives."""
        if not self._is_gone:
            self._attempt(self._file.flush)

    def fileno(self) -> int:
        """The terminal's number."""
        return self._file.fileno()

    def _attempt(self, act: Callable[[], Any]) -> None:
        try:
            act()
        except OSError as error:
            if error.errno not in _GONE:
                raise
            self._is_gone = True
            os.kill(os.getpid(), signal.SIGHUP)
