"""`run`: a person's script with a recorder beside it, and the debugger on what it did."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path, PurePath
from typing import Final

from backprop_engine.basics.sanitised import printable
from backprop_tui.arguments.commands import Run
from backprop_tui.headless.printer import counted

BAD: Final = 2
ITERATIONS: Final = 3
"""How many are recorded, where nothing else is said."""


def run(wanted: Run, *, opens: bool) -> int:
    """Run the script, and open what was recorded, if it `opens`. The script's own exit code."""
    from backprop_recorder.launching import EnoughRecorded, Program
    from backprop_recorder.launching import run as launch
    from backprop_recorder.recorder import Recorder

    path = Path(wanted.output or f"{PurePath(wanted.script).stem}.{os.getpid()}.bp")
    iterations = wanted.iterations
    if iterations is None and not wanted.until_nan:
        iterations = ITERATIONS
    try:
        recorder = Recorder(
            path,
            iterations=iterations,
            first=wanted.first,
            keep=wanted.keep if wanted.until_nan else None,
            until_nan=wanted.until_nan,
            values=wanted.values,
            with_range=wanted.stats == "range",
            with_source=not wanted.no_source,
            most=wanted.most,
            deep=wanted.deep,
            check_functions=wanted.check_functions,
            script=wanted.script if wanted.is_module else str(Path(wanted.script).absolute()),
        )
    except OSError as error:
        return _say(f"{path}: {error.strerror}")
    if opens and not wanted.keep_going:

        def enough() -> None:
            raise EnoughRecorded(0)

        recorder.on_stop = enough
    process = os.getpid()
    code = launch(Program(wanted.script, wanted.arguments, wanted.is_module), recorder)
    sys.stdout.flush()
    if os.getpid() != process:  # a child of the script that comes to the script's end
        return code
    holds = "it holds numbers, no source" if wanted.no_source else "it holds source and numbers"
    passes = counted(recorder.pass_count, "backward pass", "backward passes")
    _say(f"{passes} recorded in {path}; {holds}")
    if wanted.check_functions:
        _say(recorder.functions.cost)
    if recorder.writer.ended:
        _say(recorder.writer.ended)
    for fault in recorder.faults[:1]:
        _say(f"a mistake of the recorder's own, please report it: {fault}")
    if opens:
        # In a process of its own: this one goes on to what the script has left for its exit.
        subprocess.run([sys.executable, "-m", "backprop_tui", str(path)], check=False)  # noqa: S603
    else:
        _say(f"open it with: backprop-tui {path}")
    return code


def _say(message: str) -> int:
    sys.stderr.write(f"backprop-tui: {printable(message)}\n")
    sys.stderr.flush()
    return BAD
