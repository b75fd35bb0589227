"""What screens and widgets post to the app."""

from __future__ import annotations

from pathlib import Path

from textual.message import Message

from backprop_engine.basics.dataclass import dataclass
from backprop_tui.session.session import Change


@dataclass
class Changed(Message):
    """A person wants the session changed."""

    change: Change


@dataclass
class ScenarioChosen(Message):
    """A person has picked a scenario from a list."""

    path: Path
