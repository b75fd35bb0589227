"""The catalogue: every operation the engine knows, each with all that belongs to it.

To add one, write its entry in the module it fits and name it in that module's tuple.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from backprop_engine.catalogue.arithmetic import ARITHMETIC, NEG
from backprop_engine.catalogue.comparisons import COMPARISONS
from backprop_engine.catalogue.detaching import DETACHING
from backprop_engine.catalogue.elementwise import ELEMENTWISE
from backprop_engine.catalogue.linear import LINEAR
from backprop_engine.catalogue.reductions import REDUCTIONS
from backprop_engine.catalogue.shapes import INDEX, SHAPES
from backprop_engine.operation import Operation

_ALL = (*ARITHMETIC, *ELEMENTWISE, *REDUCTIONS, *LINEAR, *SHAPES, *DETACHING, *COMPARISONS)

OPERATIONS: Final[Mapping[str, Operation]] = {one.name: one for one in _ALL}

BINARY: Final[Mapping[str, Operation]] = {one.symbol: one for one in _ALL if one.symbol}
"""By Python operator."""

FUNCTIONS: Final[Mapping[str, tuple[Operation, ...]]] = {
    name: tuple(one for one in _ALL if name in one.function_names)
    for name in sorted({name for one in _ALL for name in one.function_names})
}
"""By the name in a call, as a function or as a method: all its forms, tried in this order.

`max(x)`, `max(x, dim=1)` and `max(x, y)` are three operations of one name.
"""

PROPERTIES: Final[Mapping[str, tuple[Operation, Mapping[str, Any]]]] = {
    name: (one, attributes) for one in _ALL for name, attributes in one.properties.items()
}
"""By attribute name (`T`), with the attributes it stands for."""

__all__ = ["BINARY", "FUNCTIONS", "INDEX", "NEG", "OPERATIONS", "PROPERTIES"]
