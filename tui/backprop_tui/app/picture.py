"""Saving a picture of the screen, under a name that says what it shows."""

from __future__ import annotations

import re
from pathlib import Path

from backprop_tui.session.session import Session

_MOST_NAMES = 1000


def picture_name(session: Session) -> str:
    """`basic-step-9`: the scenario and the place in it, in letters any file system takes."""
    source = session.trace.heading.name
    stem = Path(source).stem if re.search(r"\.ya?ml$", source) else ""
    stem = re.sub(r"[^\w.-]+", "-", stem or session.trace.heading.title).strip("-.")[:60]
    return f"{stem or 'backprop'}-step-{session.cursor}"


def saved(svg: str, session: Session, folder: Path) -> str:
    """Save `svg`, and what there is to say of it."""
    try:
        path = save_picture(svg, picture_name(session), folder)
    except OSError as error:
        return f"the picture cannot be saved: {error.strerror or error}"
    return f"saved {path.name} in {path.parent}"


def save_picture(svg: str, name: str, folder: Path) -> Path:
    """Write `svg` into a new file in `folder` and return its path; OSError where that fails.

    A file that is there already is never written over: the name gets a number then.
    """
    for number in range(1, _MOST_NAMES):
        path = folder / (f"{name}.svg" if number == 1 else f"{name}-{number}.svg")
        try:
            file = path.open("x", encoding="utf-8")
        except FileExistsError:
            continue
        try:
            with file:  # closing may fail as well as writing
                file.write(svg)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return path
    raise FileExistsError(f"{folder} has {_MOST_NAMES - 1} pictures of this name already")
