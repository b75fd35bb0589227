"""A program in a real pseudo-terminal, read back by a terminal emulator."""

from __future__ import annotations

import os
import re
import shutil
import sys
import time
from pathlib import Path

import pexpect
import pyte

SCENARIO = Path(__file__).parents[1] / "tui" / "lessons" / "basic.yaml"
PATIENCE = 60
"""Seconds to wait for what must come; a test that passes never waits so long."""
_WAITING = Path(__file__).parent / "waiting"


def program():
    beside = Path(sys.executable).with_name("backprop-tui")
    found = str(beside) if beside.exists() else shutil.which("backprop-tui")
    assert found, "backprop-tui is not installed"
    return found


class Terminal:
    """A shell command in a terminal of 80 × 24 cells; torch waits unless it is the subject."""

    def __init__(self, command, *, with_torch=False, **environment):
        kept = ("PATH", "HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "PYTHONPATH")
        keep = {name: os.environ[name] for name in kept if name in os.environ}
        if not with_torch:
            paths = [str(_WAITING), keep.get("PYTHONPATH", "")]
            keep["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
        self.child = pexpect.spawn(
            "/bin/sh",
            ["-c", command],
            dimensions=(24, 80),
            env=keep | {"TERM": "xterm-256color", "LANG": "C.UTF-8"} | environment,
            timeout=PATIENCE,
        )
        self.screen = pyte.Screen(80, 24)
        self.stream = pyte.ByteStream(self.screen)
        self.output = b""

    @property
    def text(self):
        return "\n".join(line.rstrip() for line in self.screen.display)

    def read(self):
        try:
            chunk = self.child.read_nonblocking(65536, timeout=0.05)
        except pexpect.TIMEOUT:
            return True
        except pexpect.EOF:
            return False
        self.output += chunk
        # pyte takes the private forms of these for the plain ones, and would print or crash.
        self.stream.feed(re.sub(rb"\x1b\[[<>=][0-9;]*[a-zA-Z]", b"", chunk))
        return True

    def wait_for(self, *texts):
        end = time.monotonic() + PATIENCE
        while not all(text in self.text for text in texts):
            assert self.read(), f"the program ended before {texts}:\n{self.text}"
            assert time.monotonic() < end, f"no {texts} in:\n{self.text}"

    def press(self, keys):
        self.child.send(keys)

    def resize(self, columns, lines):
        self.child.setwinsize(lines, columns)
        self.screen.resize(lines, columns)

    def finish(self):
        while self.read():
            pass
        self.child.close()
        return self.child.exitstatus
