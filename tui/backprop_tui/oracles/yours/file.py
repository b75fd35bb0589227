"""A learner's file as it is named on the command line."""

from __future__ import annotations

from pathlib import Path

from backprop_engine.basics.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class File:
    """A learner's file, and what of it is to be judged; an empty name is whatever there is."""

    path: str
    name: str = ""


def file_of(argument: str) -> File:
    """`FILE:NAME`, where no file is called so as a whole."""
    path, colon, name = argument.rpartition(":")
    if colon and name.isidentifier() and not Path(argument).exists():
        return File(path, name)
    return File(argument)
