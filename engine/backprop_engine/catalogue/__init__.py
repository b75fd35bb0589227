"""The catalogue: every operation the engine knows, each with all that belongs to it.

To add one, write its entry in the module it fits and name it in that module's tuple.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from backprop_engine.catalogue.activations import ACTIVATIONS
from backprop_engine.catalogue.affine import AFFINE
from backprop_engine.catalogue.arithmetic import ARITHMETIC, NEG
from backprop_engine.catalogue.attention import ATTENTION
from backprop_engine.catalogue.blending import BLENDING
from backprop_engine.catalogue.channel_norms import CHANNEL_NORMS
from backprop_engine.catalogue.comparisons import COMPARISONS, INVERT
from backprop_engine.catalogue.convolution import CONVOLUTION
from backprop_engine.catalogue.cross_entropy import CROSS_ENTROPIES
from backprop_engine.catalogue.detaching import DETACHING
from backprop_engine.catalogue.diagonals import DIAGONALS
from backprop_engine.catalogue.exponentials import EXPONENTIALS
from backprop_engine.catalogue.extremes import EXTREMES
from backprop_engine.catalogue.filling import FILLING
from backprop_engine.catalogue.indexing import INDEXING
from backprop_engine.catalogue.inverses import INVERSES
from backprop_engine.catalogue.joining import JOINING
from backprop_engine.catalogue.layers import LAYERS
from backprop_engine.catalogue.lengths import LENGTHS
from backprop_engine.catalogue.likelihoods import LIKELIHOODS
from backprop_engine.catalogue.linear import LINEAR
from backprop_engine.catalogue.losses import LOSSES
from backprop_engine.catalogue.margins import MARGINS
from backprop_engine.catalogue.normalisation import NORMALISATION
from backprop_engine.catalogue.norms import NORMS
from backprop_engine.catalogue.ordering import ORDERING
from backprop_engine.catalogue.overwriting import INDEX_PUT, OVERWRITING
from backprop_engine.catalogue.padding import PADDING
from backprop_engine.catalogue.pooling import POOLING
from backprop_engine.catalogue.rearranging import REARRANGING
from backprop_engine.catalogue.reductions import REDUCTIONS
from backprop_engine.catalogue.rounding import ROUNDING
from backprop_engine.catalogue.selection import SELECTION
from backprop_engine.catalogue.shapes import SHAPES
from backprop_engine.catalogue.smooth import SMOOTH
from backprop_engine.catalogue.softmax import SOFTMAXES
from backprop_engine.catalogue.statistics import STATISTICS
from backprop_engine.catalogue.subscripts import INDEX
from backprop_engine.catalogue.summation import SUMMATION
from backprop_engine.catalogue.trigonometry import TRIGONOMETRY
from backprop_engine.operation import Kind, Operation

GROUPS: Final[Mapping[str, tuple[Operation, ...]]] = {
    "Arithmetic": (*ARITHMETIC, *BLENDING),
    "Exponentials, logarithms and roots": EXPONENTIALS,
    "Angles and hyperbolic functions": TRIGONOMETRY,
    "Signs, whole numbers and remainders": ROUNDING,
    "Comparisons and logic": COMPARISONS,
    "Activations in pieces": ACTIVATIONS,
    "Smooth activations": SMOOTH,
    "Sums, means and products": REDUCTIONS,
    "Variance and norms": (*STATISTICS, *NORMS),
    "Largest, smallest, median": EXTREMES,
    "Choosing between values": SELECTION,
    "Sorting and running results": ORDERING,
    "Products of vectors and matrices": (*LINEAR, *AFFINE, *SUMMATION),
    "Inverses and determinants": INVERSES,
    "Diagonals and triangles": DIAGONALS,
    "Shapes and axes": SHAPES,
    "Joining and cutting": JOINING,
    "Repeating, shifting and padding": (*REARRANGING, *PADDING),
    "Indexing": (INDEX, *INDEXING),
    "Filling in": FILLING,
    "Changing in place": OVERWRITING,
    "Layers of networks": LAYERS,
    "Convolution": CONVOLUTION,
    "Pooling": POOLING,
    "Softmax and attention": (*SOFTMAXES, *ATTENTION),
    "Normalisation and lengths": (*NORMALISATION, *CHANNEL_NORMS, *LENGTHS),
    "Losses": (*LOSSES, *CROSS_ENTROPIES, *LIKELIHOODS, *MARGINS),
    "Leaving the graph": DETACHING,
}
"""The title people read → the operations under it, in the order of the reference.

Forms of one name are tried in this order too: `max(x, 1)` along an axis before `max(x, y)`.
"""

_ALL = tuple(one for group in GROUPS.values() for one in group)

OPERATIONS: Final[Mapping[str, Operation]] = {one.name: one for one in _ALL}

BINARY: Final[Mapping[str, Operation]] = {one.symbol: one for one in _ALL if one.symbol}
"""By Python operator; `~` has one operand."""


def _by_function() -> dict[str, tuple[Operation, ...]]:
    """The forms with the fewest operands first: `max(x, 1)` is along an axis."""
    forms: dict[str, list[Operation]] = {}
    for one in _ALL:
        for name in one.function_names:
            forms.setdefault(name, []).append(one)
    return {name: tuple(sorted(forms[name], key=_operand_count)) for name in sorted(forms)}


def _operand_count(operation: Operation) -> int:
    return sum(one.kind is Kind.OPERAND for one in operation.parameters)


FUNCTIONS: Final[Mapping[str, tuple[Operation, ...]]] = _by_function()
"""By the name in a call, as a function or as a method: all its forms, tried in this order.

`max(x)`, `max(x, dim=1)` and `max(x, y)` are three operations of one name. Those with fewer
operands come first: the 1 of `max(x, 1)` is an axis, as in torch, and no second value.
"""

PROPERTIES: Final[Mapping[str, tuple[Operation, Mapping[str, Any]]]] = {
    name: (one, attributes) for one in _ALL for name, attributes in one.properties.items()
}
"""By attribute name (`T`), with the attributes it stands for."""

__all__ = [
    "BINARY",
    "FUNCTIONS",
    "GROUPS",
    "INDEX",
    "INDEX_PUT",
    "INVERT",
    "NEG",
    "OPERATIONS",
    "PROPERTIES",
]
