"""Answers about a trace, computed once and kept for as long as the trace is."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, TypeVarTuple
from weakref import WeakKeyDictionary

from backprop_engine.trace import Trace

Given = TypeVarTuple("Given")
Answer = TypeVar("Answer")


def remembered(
    function: Callable[[Trace, *Given], Answer],
) -> Callable[[Trace, *Given], Answer]:
    """`function`, whose answers are kept by trace and further hashable arguments.

    A cache by number of entries would keep traces alive that nobody looks at any more.
    """
    kept: WeakKeyDictionary[Trace, dict[Any, Answer]] = WeakKeyDictionary()

    @wraps(function)
    def ask(trace: Trace, *given: *Given) -> Answer:
        answers = kept.setdefault(trace, {})
        if given not in answers:
            answers[given] = function(trace, *given)
        return answers[given]

    return ask
