"""What is left to do while an expression is evaluated: the entries of the evaluation's stack."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from backprop_engine.basics.source import Span
from backprop_engine.grammar.syntax import Expression
from backprop_engine.program.resolving import Call
from backprop_engine.run.scope import Result


class Apply(NamedTuple):
    """Apply `call` once its operands stand on the stack of results."""

    call: Call
    span: Span
    is_plain: bool = False
    """Whether it makes one node of one or two operands, if these are nodes."""


class Do(NamedTuple):
    """Something else that is done with the last results, which are taken off."""

    work: Work
    about: Any
    operands: int = 1
    depth: int = 0
    """How many comprehensions are inside of each other in it."""


Task = Expression | Apply | Do

Work = Callable[[Any, list[Result]], "Result | list[Task] | None"]
"""`work(about, results)`: a result, or what is to be done for one, the last of it first."""
