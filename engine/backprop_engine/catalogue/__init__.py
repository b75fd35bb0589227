"""The catalogue: every operation the engine knows, each with all that belongs to it.

To add one, write its entry in the module it fits and name it in that module's tuple.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from backprop_engine.catalogue.arithmetic import ARITHMETIC, NEG
from backprop_engine.catalogue.attention import ATTENTION
from backprop_engine.catalogue.channel_norms import CHANNEL_NORMS
from backprop_engine.catalogue.convolution import CONVOLUTION
from backprop_engine.catalogue.cross_entropy import CROSS_ENTROPIES
from backprop_engine.catalogue.detaching import DETACHING
from backprop_engine.catalogue.elementwise import ELEMENTWISE
from backprop_engine.catalogue.layers import LAYERS
from backprop_engine.catalogue.lengths import LENGTHS
from backprop_engine.catalogue.likelihoods import LIKELIHOODS
from backprop_engine.catalogue.linear import LINEAR
from backprop_engine.catalogue.losses import LOSSES
from backprop_engine.catalogue.margins import MARGINS
from backprop_engine.catalogue.normalisation import NORMALISATION
from backprop_engine.catalogue.pooling import POOLING
from backprop_engine.catalogue.reductions import REDUCTIONS
from backprop_engine.catalogue.shapes import INDEX, SHAPES
from backprop_engine.catalogue.softmax import SOFTMAXES
from backprop_engine.operation import Operation

GROUPS: Final[Mapping[str, tuple[Operation, ...]]] = {
    "Arithmetic": ARITHMETIC,
    "Functions of one value": ELEMENTWISE,
    "Reductions": REDUCTIONS,
    "Linear algebra": LINEAR,
    "Shapes and indices": SHAPES,
    "Cutting the graph": DETACHING,
    "Layers of networks": LAYERS,
    "Convolution": CONVOLUTION,
    "Pooling": POOLING,
    "Softmax and attention": (*SOFTMAXES, *ATTENTION),
    "Normalisation and lengths": (*NORMALISATION, *CHANNEL_NORMS, *LENGTHS),
    "Losses": (*LOSSES, *CROSS_ENTROPIES, *LIKELIHOODS, *MARGINS),
}
"""Every operation, by a title for people."""

_ALL = tuple(one for group in GROUPS.values() for one in group)

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

__all__ = ["BINARY", "FUNCTIONS", "GROUPS", "INDEX", "NEG", "OPERATIONS", "PROPERTIES"]
