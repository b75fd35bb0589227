"""What a recording says of the whole run, and of each event on its timeline."""

from __future__ import annotations

import math
from pathlib import PurePath
from textwrap import shorten
from typing import Final

from backprop_engine.basics.source import Source
from backprop_engine.basics.summary import Summary
from backprop_engine.basics.values import Dtype
from backprop_engine.recording.cut_off import cut_off_lines
from backprop_engine.recording.findings import error_lines
from backprop_engine.recording.recording import Changed, Pass, Recording, Update
from backprop_engine.trace import Heading

_NOTED: Final = 160
"""Characters of an error that the notice repeats."""
_LOSSES: Final = 30
"""How many are told in the notes."""
LEAF_NAME: Final = "tensor"
"""Of a tensor that no variable is known of."""
_HOW: Final = {"unscale": "unscaled", "clip_norm": "clipped to a norm", "clip_value": "clipped"}


def heading_of(recording: Recording, files: tuple[Source, ...], dtype: Dtype, end: int) -> Heading:
    """The heading; `end` is the last cursor."""
    said = list(error_lines(recording))
    note = "; ".join([shorten(line, _NOTED) for line in (*said[:1], *said[2:])])
    if not note and not recording.is_complete:
        note = "this recording was cut off: the program was killed, or still runs"
    name = PurePath(recording.start.script or str(recording.frames.path)).name
    return Heading(
        title=f"{name}, recorded",
        about=_about(recording),
        name=str(recording.frames.path),
        files=files,
        hints={},
        note=note,
        dtype=dtype,
        computed_by=f"torch {recording.start.torch.partition('+')[0]}",
        start=end if recording.error is not None else 0,
    )


def _about(recording: Recording) -> str:
    """What there is to know of the whole run, in Markdown."""
    passes = recording.passes
    losses = [f"{_loss(recording, pass_):.4g}" for pass_ in passes if pass_.loss is not None]
    more = " → …" if len(losses) > _LOSSES else ""
    deep = ", recorded with `--deep`: calls are told by the kernels inside of them"
    how = deep * recording.start.is_deep
    parts = [f"As it ran with torch {recording.start.torch}{how}; backward passes: {len(passes)}."]
    parts += [f"`{line}`" if "`" not in line else line for line in error_lines(recording)]
    if losses:
        parts.append(f"The loss, pass by pass: {' → '.join(losses[:_LOSSES])}{more}")
    by_reason: dict[str, list[str]] = {}
    for name, why in cut_off_lines(recording):
        by_reason.setdefault(why, []).append(f"`{name}`")
    for why, names in by_reason.items():
        parts.append(f"`.grad` is None of {', '.join(names[:_LOSSES])}: {why}.")
    return "\n\n".join(parts)


def _loss(recording: Recording, pass_: Pass) -> float:
    """What the pass starts from, or what of that is the program's own loss."""
    unscaled = recording.unscaled(pass_)
    known = pass_.loss if unscaled is None else recording.values.known(unscaled)
    return math.nan if isinstance(known, Summary) or known is None else float(known)


def ratios_of(update: Update) -> dict[str, float]:
    """By parameter how far it moved, over how large it was."""
    rows = zip(update.names, update.updates, update.weights, strict=True)
    return {name: moved / weight for name, moved, weight in rows if weight > 0}


def update_lines(update: Update) -> str:
    """A step of an optimiser in a few lines."""
    rate = f", lr {update.rates[0]:g}" if update.rates else ""
    lines = [f"{update.optimizer} step {update.iteration}{rate}"]
    if update.changed:
        count = len(update.names)
        lines.append(
            f"{update.changed} of {count} gradients were changed since their backward pass"
        )
    rows = zip(update.names, update.gradients, update.updates, update.weights, strict=True)
    for name, gradient, moved, weight in rows:
        ratio = f", {moved / weight:.2g} of it" if weight > 0 else ""
        lines.append(f"{name or LEAF_NAME}: |grad| {gradient:.3g}, |∆w| {moved:.3g}{ratio}")
    return "\n".join(lines)


def change_name(change: Changed) -> str:
    """`unscale`, `clip_norm`: as the timeline calls it."""
    return change.how or "gradients changed"


def change_lines(change: Changed) -> str:
    """A change of gradients in a few lines."""
    factor = f", {change.factor:g}" if change.factor is not None else ""
    how = _HOW.get(change.how, "changed")
    lines = [f"{len(change.names)} gradients are {how}{factor}"]
    rows = zip(change.names, change.before, change.after, strict=True)
    lines += [
        f"{name or LEAF_NAME}: |grad| {before:.3g} → {after:.3g}" for name, before, after in rows
    ]
    return "\n".join(lines)


def cleared_lines(names: list[str], *, is_none: bool) -> str:
    """Whose `.grad` a `zero_grad` has cleared, in a few lines."""
    if not names:
        return "zero_grad: there was no .grad to clear"
    what = "clear" if is_none else "fill with zeros"
    told = f"zero_grad: {what} .grad of {len(names)} tensor{'' if len(names) == 1 else 's'}"
    return "\n".join([told, *(f"{name}.grad" for name in names)])
