"""Where this user's configuration and state are, by the customs of the operating system."""

from __future__ import annotations

from pathlib import Path

import platformdirs

_NAME = "backprop-tui"


def config_file() -> Path:
    """The configuration file; it need not exist."""
    return platformdirs.user_config_path(_NAME, appauthor=False) / "config.toml"


def state_folder() -> Path:
    """The folder for what survives a restart; it need not exist."""
    return platformdirs.user_state_path(_NAME, appauthor=False)
