"""What one value has sent to another, held against the right rule."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import add
from typing import Any

import numpy as np

from backprop_engine.basics import notation
from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.values import Shape, full_like
from backprop_engine.mistakes.edge import Edge
from backprop_engine.mistakes.telling import named
from backprop_tui.oracles.yours.comparing import agrees, apart, is_between
from backprop_tui.oracles.yours.protocol import Event
from backprop_tui.oracles.yours.verdict import Kind

_ADDED = "What comes along several paths is added: += in place of =."


@dataclass(frozen=True, eq=False, slots=True)
class Sending:
    """All that a value sends to another: an edge for each position where that is an operand."""

    edges: tuple[Edge, ...]
    sender: str
    receiver: str
    shape: Shape
    is_single: bool

    def agrees(self, theirs: Any, right: Any, change: Event | None = None) -> bool:
        """Whether what was sent is right."""
        among = 0.0 if change is None else change.after
        return agrees(theirs, right, is_single=self.is_single, among=among)


_Found = tuple[Kind, str, int | None]


def judge_sending(sending: Sending, changes: Sequence[Event]) -> _Found | None:
    """The first thing wrong: its kind, what to say, and the line; None where all is right."""
    for change in changes:
        if np.shape(change.after) != sending.shape and np.size(change.after) != 1:
            return Kind.SHAPE, _shape(sending, change), change.line
    rights = [edge.sent() for edge in sending.edges]
    total = reduce(add, rights)
    if not changes:
        if not np.any(total):
            return None
        return Kind.SENDS_NOTHING, _nothing(sending, total), None
    gained = reduce(add, [change.gained for change in changes])
    if sending.agrees(gained, total, changes[-1]):
        return None
    open_ = list(zip(sending.edges, rights, strict=True))
    for change in changes:
        fitting = [pair for pair in open_ if sending.agrees(change.gained, pair[1], change)]
        if fitting:
            open_.remove(fitting[0])
            continue
        found = _wrong_change(sending, change, open_ or [(sending.edges[-1], rights[-1])], total)
        if found is not None:
            return found
        return None
    return Kind.OVERWRITTEN, _once(sending, open_[0][1]), changes[-1].set_at


def _wrong_change(
    sending: Sending, change: Event, open_: Sequence[tuple[Edge, Any]], total: Any
) -> _Found | None:
    had_something = change.before is not None and np.any(change.before) and not change.adds
    for edge, right in open_:
        if had_something and sending.agrees(change.after, right):
            return Kind.OVERWRITTEN, _overwritten(sending, change, right), change.set_at
        if is_between(edge, change.gained):
            return None
    if had_something and sending.agrees(change.after, total):
        return Kind.OVERWRITTEN, _overwritten(sending, change, total), change.set_at
    right = total if len(open_) == len(sending.edges) == 1 else open_[0][1]
    sent = change.gained
    why = _diagnosis(sending, open_, lambda wrong: sending.agrees(sent, wrong, change))
    if not why and had_something:
        # It may be wrong and overwrite as well: then what it holds is what was sent.
        why = _diagnosis(sending, open_, lambda wrong: sending.agrees(change.after, wrong))
        sent = change.after if why else sent
    theirs, _, ours = apart(sent, right).partition("; ")
    message = f"{sending.sender} sends {theirs} to {sending.receiver}; {ours}"
    return Kind.RULE, f"{message}{': ' + why if why else ''}.", change.line


def _diagnosis(sending: Sending, open_: Sequence[tuple[Edge, Any]], fits: Any) -> str:
    """The mistakes that give just this, in their words."""
    sentences: dict[str, None] = {}
    for edge, _ in open_:
        for mistake in named(edge, fits):
            local = edge.sent(upstream=full_like(edge.upstream, 1.0))
            words = {
                "node": sending.sender,
                "operand": sending.receiver,
                "upstream": notation.short(edge.upstream),
                "local": notation.short(local),
            }
            sentences[f"{mistake.name} ({mistake.sentence.format(**words)})"] = None
    return ", or ".join(sentences)


def _shape(sending: Sending, change: Event) -> str:
    return (
        f"{sending.sender} sends {sending.receiver} something of the shape "
        f"{np.shape(change.after)}, and {sending.receiver} has {sending.shape}. What was broadcast "
        "on the way forward is summed on the way back, until the shape is its own again."
    )


def _nothing(sending: Sending, total: Any) -> str:
    return (
        f"{sending.sender} sends {sending.receiver} nothing; {notation.short(total)} is right. "
        "Is its rule missing, or never attached?"
    )


def _overwritten(sending: Sending, change: Event, right: Any) -> str:
    return (
        f"{sending.sender} overwrites the gradient of {sending.receiver}: it held "
        f"{notation.short(change.before)}, {notation.short(right)} is sent, and now it holds "
        f"{notation.short(change.after)}. {_ADDED}"
    )


def _once(sending: Sending, right: Any) -> str:
    return (
        f"{sending.receiver} stands twice in {sending.sender}, and only one of the two "
        f"contributions has arrived; {notation.short(right)} is missing. {_ADDED}"
    )
