"""The catalogue: every operation the engine knows, each with all that belongs to it.

To add one, write its entry in the module it fits; it is found there by its name in capitals.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, Final

from backprop_engine.catalogue.arithmetic import NEG
from backprop_engine.catalogue.comparisons import INVERT
from backprop_engine.catalogue.overwriting import INDEX_PUT
from backprop_engine.catalogue.subscripts import INDEX
from backprop_engine.operation import Kind, Operation

_MODULES: Final[Mapping[str, tuple[str, ...]]] = {
    "Arithmetic": ("arithmetic", "blending"),
    "Exponentials, logarithms and roots": ("exponentials",),
    "Angles and hyperbolic functions": ("trigonometry",),
    "Signs, whole numbers and remainders": ("rounding",),
    "Comparisons and logic": ("comparisons",),
    "Activations in pieces": ("activations",),
    "Smooth activations": ("smooth",),
    "Sums, means and products": ("reductions",),
    "Variance and norms": ("statistics",),
    "Largest, smallest, median": ("extremes",),
    "Choosing between values": ("selection",),
    "Sorting and running results": ("ordering",),
    "Products of vectors and matrices": ("linear", "affine", "summation"),
    "Inverses and determinants": ("inverses",),
    "Diagonals and triangles": ("diagonals",),
    "Shapes and axes": ("shapes",),
    "Joining and cutting": ("joining",),
    "Repeating, shifting and padding": ("rearranging",),
    "Indexing": ("subscripts", "indexing"),
    "Filling in": ("filling",),
    "Changing in place": ("overwriting",),
    "Layers of networks": ("layers",),
    "Convolution": ("convolution",),
    "Pooling": ("pooling",),
    "Softmax and attention": ("attention",),
    "Normalisation and lengths": ("normalisation", "channel_norms", "lengths"),
    "Losses": ("losses", "cross_entropy", "likelihoods", "margins"),
    "Leaving the graph": ("detaching",),
}


def _operations_in(modules: tuple[str, ...]) -> tuple[Operation, ...]:
    """The operations that stand under public names in the modules, in the order of the files.

    A module that needs another's operation imports that module, and so does not list it twice.
    """
    return tuple(
        value
        for module in modules
        for name, value in vars(import_module(f"{__name__}.{module}")).items()
        if isinstance(value, Operation) and not name.startswith("_")
    )


GROUPS: Final[Mapping[str, tuple[Operation, ...]]] = {
    title: _operations_in(modules) for title, modules in _MODULES.items()
}
"""The title people read → the operations under it, in the order of the reference.

Forms of one name are tried in this order too: `max(x, 1)` along an axis before `max(x, y)`.
"""

_ALL = tuple(operation for group in GROUPS.values() for operation in group)

OPERATIONS: Final[Mapping[str, Operation]] = {operation.name: operation for operation in _ALL}

BINARY: Final[Mapping[str, Operation]] = {
    operation.spelling.symbol: operation for operation in _ALL if operation.spelling.symbol
}
"""By Python operator; `~` has one operand."""


def _by_function() -> dict[str, tuple[Operation, ...]]:
    """The forms with the fewest operands first: `max(x, 1)` is along an axis."""
    forms: dict[str, list[Operation]] = {}
    for operation in _ALL:
        for name in operation.spelling.functions:
            forms.setdefault(name, []).append(operation)
    return {name: tuple(sorted(forms[name], key=_operand_count)) for name in sorted(forms)}


def _operand_count(operation: Operation) -> int:
    return sum(parameter.kind is Kind.OPERAND for parameter in operation.spelling.parameters)


FUNCTIONS: Final[Mapping[str, tuple[Operation, ...]]] = _by_function()
"""By the name in a call, as a function or as a method: all its forms, tried in this order.

`max(x)`, `max(x, dim=1)` and `max(x, y)` are three operations of one name. Those with fewer
operands come first: the 1 of `max(x, 1)` is an axis, as in torch, and no second value.
"""

PROPERTIES: Final[Mapping[str, tuple[Operation, Mapping[str, Any]]]] = {
    name: (operation, attributes)
    for operation in _ALL
    for name, attributes in operation.spelling.properties.items()
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
