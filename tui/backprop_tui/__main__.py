"""`python -m backprop_tui`."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Sequence

from backprop_tui.cli import main as command_line

_CYCLES = "20"
"""Half a millisecond (2²⁰ cycles) that numpy's threads wait for work; theirs is 2²⁶, in which they
take the processor from whatever comes after `import numpy`."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; libraries warn of what is data here, with paths that help nobody.

    A script that is run warns and waits as it likes.
    """
    given = sys.argv[1:] if arguments is None else arguments
    if list(given[:1]) != ["run"]:
        os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", _CYCLES)
        if not sys.warnoptions:
            warnings.simplefilter("ignore")
    return command_line(arguments)


if __name__ == "__main__":
    sys.exit(main())
