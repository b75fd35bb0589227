"""A program text while it is being read: what the lexer, the parser and their errors share."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import field
from typing import Literal, NamedTuple

from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.source import Span
from backprop_engine.grammar.excerpt import Excerpt

AUGMENTING = r"(?:\*\*|//|[-+*/%@&|])"
"""The operators that `=` may follow, as a pattern: `a += b`."""

Form = Literal["statements", "shorthand", "expression"]


class Place(NamedTuple):
    """A token's kind and its range in the excerpt."""

    kind: str
    start: int
    stop: int


@dataclass
class Block:
    """A `with no_grad:` or `for` block whose statements are being read."""

    start: int
    """Where its first word stands in the excerpt."""
    stop: int
    """Where its colon ends."""
    header: int
    """The indentation of its first line."""
    body: int | None = None
    """That of its statements; None before the first of them."""
    is_inline: bool = False
    """Whether they stand in its first line."""
    is_loop: bool = False


@dataclass
class Reading:
    """One text being read, and how far the lexer has come."""

    excerpt: Excerpt
    form: Form
    """In the shorthand, commas outside of brackets separate statements too."""
    given: AbstractSet[str]
    """Names known to be variables from the start, even where they look like a module's."""
    assigned: set[str] = field(default_factory=set)
    """Names that the text itself has made variables so far."""
    imported: dict[str, str] = field(default_factory=dict)
    """Names that mean a library's function, with its module: by `from torch import max`."""
    count: int = 0
    """How many tokens were handed out."""
    before: Place | None = None
    """The token before the last one."""
    last: Place | None = None
    """The last token handed out: the offending one when the parser objects."""
    statement: int = 0
    """Where in the excerpt the current statement starts."""
    targets: int = 0
    """Where the targets of an unpacking end, `a, b` before its `=`; else 0."""
    values: int = 0
    """How many more values may follow in the unpacking that is being read."""
    brackets: list[tuple[str, int]] = field(default_factory=list)
    """The brackets open here, with their places in the excerpt."""
    modules: set[int] = field(default_factory=set)
    """Where the brackets of modules being made open, and close: `nn.ReLU()`."""
    blocks: list[Block] = field(default_factory=list)
    """The blocks open here, the innermost last."""
    is_header: bool = False
    """Whether the first line of a loop is being read, up to its colon."""
    loops: list[int] = field(default_factory=list)
    """For each `for` whose `in` is to come: how many brackets were open there."""

    def has(self, name: str) -> bool:
        """Whether it is known to be a variable, even if it looks like a module (`F.sum()`)."""
        return name in self.assigned or name in self.given

    @property
    def variables(self) -> set[str]:
        """All names known to be variables."""
        return {*self.given, *self.assigned}

    def text(self, start: int, stop: int) -> str:
        """The excerpt's text from `start` to `stop`."""
        return self.excerpt.text[start:stop]

    def span(self, start: int, stop: int) -> Span:
        """The place in the source of the excerpt's text from `start` to `stop`."""
        return self.excerpt.span(start, stop)

    def line(self, at: int) -> int:
        """The line of the source in which a character of the excerpt stands."""
        return self.excerpt.source.position(self.excerpt.offsets[at]).line

    def is_folded(self, start: int, stop: int) -> bool:
        """Whether YAML has joined lines of the source between two places of the excerpt."""
        return self.line(start) != self.line(stop) and "\n" not in self.text(start, stop)
