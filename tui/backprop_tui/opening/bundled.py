"""Where the scenarios are that come with the program."""

from __future__ import annotations

from pathlib import Path


def bundled_scenarios() -> Path:
    """The folder of scenarios: inside the installed package, or beside a checkout's source roots.

    Raises FileNotFoundError if the installation has lost them.
    """
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "scenarios", package.parents[1] / "scenarios"):
        if folder.is_dir():
            return folder
    raise FileNotFoundError(f"the bundled scenarios are missing from {package}")
