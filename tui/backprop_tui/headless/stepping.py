"""`step(loss)`: one backward pass of a program, and the debugger on it where the program stands."""

from __future__ import annotations

import html
import io
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from backprop_engine.basics.dataclass import dataclass

_WIDTH: Final = 110
_OWN: Final = str(Path(__file__).parents[1])


@dataclass(frozen=True, slots=True)
class Told:
    """A backward pass as text, for a notebook."""

    text: str

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        return f'<pre style="line-height: 1.25">{html.escape(self.text)}</pre>'


def step(loss: Any, gradient: Any, *, retain_graph: bool | None, create_graph: bool) -> Told | None:
    """Record one pass and show it: see `backprop_tui.step`."""
    from backprop_recorder.recorder import RecordingAlreadyError
    from backprop_recorder.stepping import record_backward

    folder = Path(tempfile.mkdtemp(prefix="backprop-tui-"))
    path = folder / "step.bp"
    arguments = (gradient, retain_graph, create_graph)
    try:
        record_backward(path, _OWN, loss, *arguments)
    except RecordingAlreadyError:
        shutil.rmtree(folder, ignore_errors=True)
        loss.backward(*arguments)
        _say("a recording is under way, and this pass is part of it")
        return None
    except BaseException:
        _show(path)
        raise
    return _show(path)


def _show(path: Path) -> Told | None:
    if _in_notebook():
        told = Told(_text(path))
    elif sys.stdin.isatty() and sys.stdout.isatty():
        sys.stdout.flush()
        subprocess.run([sys.executable, "-m", "backprop_tui", str(path)], check=False)  # noqa: S603
        told = None
    else:
        _say(f"no terminal to step on here; open it with: backprop-tui {path}")
        return None
    shutil.rmtree(path.parent, ignore_errors=True)
    return told


def _in_notebook() -> bool:
    """Whether what is returned is shown, and nobody can type."""
    shell = sys.modules.get("IPython")
    return shell is not None and hasattr(shell.get_ipython(), "kernel")


def _text(path: Path) -> str:
    from backprop_engine.recording.reader import read
    from backprop_engine.recording.trace import trace_of
    from backprop_tui.headless.printer import Printer
    from backprop_tui.headless.trace_text import print_trace

    stream = io.StringIO()
    print_trace(trace_of(read(path)), Printer(stream, colour=False, plain=False, width=_WIDTH))
    return stream.getvalue()


def _say(message: str) -> None:
    sys.stderr.write(f"backprop-tui: {message}\n")
