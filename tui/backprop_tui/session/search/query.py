"""What may be searched for: a text in a node's row, or a condition on its value and gradient."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from backprop_engine.basics import notation
from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.source import Source
from backprop_engine.budget import check_length
from backprop_engine.grammar.excerpt import whole
from backprop_engine.grammar.parser import parse_expression
from backprop_engine.reading.explain import expression
from backprop_engine.reading.formula import Formula, among, compile_formula
from backprop_engine.trace import Trace

NAMES: Final = ("value", "grad")
"""What a condition on a node speaks of: its value and its gradient, as of the cursor."""

HELP: Final = (
    "A search looks at the name, the expression, the operation and the grad_fn of each node: "
    "relu, W1, x**2, MulBackward0. A capital in it makes capitals count. If no row has the text "
    "as it is typed, its letters in this order will do. With value or grad and a comparison it "
    "is a condition on what stands on the screen now: grad > 1, abs(grad) > 10, isnan(value)."
)
"""For the help of whoever searches."""

_CONDITION = re.compile(r"(?<![\w.])(value|grad)(?![\w.])")
_COMPARISON = re.compile(r"[<>!(]|==")

_SHORT = 2
"""Letters of a text that is looked for in names and expressions alone."""


def is_condition(text: str) -> bool:
    """Whether `text` is meant as a condition, whether or not it is one."""
    return bool(_CONDITION.search(text) and _COMPARISON.search(text))


@lru_cache(maxsize=64)
def compile_query(text: str) -> Formula:
    """The condition that `text` is. Raises ProblemError, with places in `text`."""
    check_length(text)
    root = parse_expression(whole(Source("search", text)), variables=frozenset(NAMES))
    return compile_formula(text, root, among(NAMES), NAMES)


@dataclass(frozen=True, slots=True)
class TextQuery:
    """A text to be found; with a capital in it, capitals count."""

    wanted: str
    letters: re.Pattern[str]

    def fit(self, trace: Trace, node: int) -> int:
        """2 for a node that has the text somewhere, 1 for one with its letters in order, else 0."""
        text = searchable(trace, node, is_whole=len(self.wanted) > _SHORT)
        if self.wanted == self.wanted.lower():
            text = text.lower()
        if self.wanted in text:
            return 2
        return 1 if self.letters.match(text) else 0


def text_query(query: str) -> TextQuery:
    """`query` as a text."""
    wanted = _plain(query.strip())
    letters = [re.escape(letter) for letter in wanted if letter != " "]
    # Each gap takes all but the letter that ends it, so that nothing is ever tried twice.
    in_order = re.compile("".join(f"[^{letter}]*{letter}" for letter in letters), re.DOTALL)
    return TextQuery(wanted, in_order)


def searchable(trace: Trace, node: int, *, is_whole: bool = True) -> str:
    """All that a text may be found in of a node: `%1 = x^2 pow PowBackward0`.

    Unless `is_whole` only its name and its expression: some letters are in every grad_fn.
    """
    label = trace.label(node)
    if trace.is_leaf(node):
        kind = "leaf" if trace.nodes.requires_grad[node] else "constant"
        return _plain(f"{label} {kind}" if is_whole else label)
    text = f"{label} = {expression(trace, node)}"
    if is_whole:
        text = f"{text} {trace.nodes.operation_name(node)} {trace.nodes.grad_fn(node)}"
    return _plain(text)


def _plain(text: str) -> str:
    """One way of writing for all: ASCII signs, `^` for a power."""
    return notation.plain(text).replace("**", "^")
