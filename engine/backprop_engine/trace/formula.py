"""A template of the catalogue about certain nodes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from backprop_engine.basics import notation
from backprop_engine.basics.dataclass import dataclass
from backprop_engine.mathematics.parser import parse
from backprop_engine.mathematics.text import in_place, pieces
from backprop_engine.mathematics.tree import Text, Tree, filled

_pieces_of = lru_cache(maxsize=4096)(lambda template: pieces(parse(template)))
_ROOM = {"·": " · "}


@dataclass(frozen=True, eq=False, slots=True)
class Formula:
    """What a template says when its letters stand for nodes, and its other names for attributes."""

    template: str
    nodes: Mapping[str, int]
    attributes: Mapping[str, Any]

    def text(self, name: Callable[[int], str]) -> str:
        """It on one line, each node as `name` has it. There must be no upstream gradient in it."""
        return "".join(
            piece if isinstance(piece, str) else in_place(self._named(piece[0], name), piece[1])
            for piece in _pieces_of(self.template)
        )

    def tree(
        self,
        name: Callable[[int], str],
        given: Mapping[str, Tree] | None = None,
        *,
        is_roomy: bool = False,
    ) -> Tree:
        """It with each node as `name` has it, but for the letters that are `given`.

        The upstream gradient is the letter `g`. `is_roomy` keeps `2 · 2` from reading as `2.2`.
        """
        holes: dict[str, Tree] = {hole: Text(self._named(hole, name)) for hole in self.nodes}
        holes |= {hole: Text(attribute_text(value)) for hole, value in self.attributes.items()}
        return filled(parse(self.template), {**holes, **(given or {})}, _ROOM if is_roomy else None)

    def _named(self, hole: str, name: Callable[[int], str]) -> str:
        node = self.nodes.get(hole)
        return attribute_text(self.attributes[hole]) if node is None else name(node)


def attribute_text(value: object) -> str:
    """`0.5` as it would be written; `1.0` is `1`."""
    return notation.number(value) if type(value) is float else str(value)
