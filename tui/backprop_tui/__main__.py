"""`python -m backprop_tui`."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence

from backprop_tui.cli import main as command_line


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; libraries warn of what is data here, with paths that help nobody.

    A script that is run warns as it likes.
    """
    given = sys.argv[1:] if arguments is None else arguments
    if not sys.warnoptions and list(given[:1]) != ["run"]:
        warnings.simplefilter("ignore")
    return command_line(arguments)


if __name__ == "__main__":
    sys.exit(main())
