"""What an operation is: its forward function, its derivatives, and how both are told to people.

The entries themselves stand in `backprop_engine.catalogue`, one for each operation. Everything
about an operation is in its entry and nowhere else.

Texts are templates over the names of the values involved: `{a}`, `{b}`, … are the operands in
order, `{y}` is the output, `{g}` the upstream gradient and `{dim}` etc. an attribute. The same
template is filled with names for the formula and with numbers for the worked figures.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from backprop_engine.values import Shape

Rule = Callable[..., Any]
"""`rule(upstream, output, *operands, **attributes)`: the contribution to one operand."""

Template = str | Callable[..., str]
"""A text with names in braces, or a function of the texts by name (`a=`, `b=`, `y=`, …)."""

OPERAND_LETTERS = "abcdefgh"


@dataclass(frozen=True, slots=True)
class Application:
    """One use of an operation, as far as torch's choice of `grad_fn` depends on it."""

    shapes: tuple[Shape, ...]
    numbers: tuple[bool, ...]
    """For each operand, whether it is a Python number in torch rather than a tensor."""
    contiguous: tuple[bool, ...]
    """For each operand, whether its elements lie in memory in order."""
    attributes: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Derivative:
    """How an operation answers for one of its operands."""

    rule: Rule
    """The vector-Jacobian product: upstream gradient in, contribution to this operand out."""
    local: Template | None = None
    """∂y/∂operand as mathematics, for operations whose elements do not mix."""
    vjp: Template | None = None
    """The contribution as mathematics in `{g}`; needed where `local` is None."""
    words: str = ""
    """One plain sentence on why it is so."""


class Kind(Enum):
    """What an argument of a call may be."""

    OPERAND = "a value"
    AXIS = "an axis (a whole number)"
    AXES = "an axis or a tuple of axes"
    SHAPE = "a shape (whole numbers)"
    FLAG = "True or False"


REQUIRED: Any = object()


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a function as torch spells it; `aliases` are its other keywords."""

    name: str
    kind: Kind = Kind.OPERAND
    default: Any = REQUIRED
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Operation:
    """An entry of the catalogue."""

    name: str
    forward: Callable[..., Any]
    """`forward(*operands, **attributes)`, on floats and arrays alike."""
    derivatives: tuple[Derivative, ...]
    """One for each operand; an operand beyond them (an index) has no gradient."""
    notation: Template
    """The operation as mathematics."""
    torch: Callable[..., Any]
    """Its twin: `torch(torch_module, *operands, **attributes)`."""
    grad_fn: str | Callable[[Application], str]
    """The class name of the autograd node torch makes for it."""
    words: str = ""
    """What it does, in a few plain words."""
    parameters: tuple[Parameter, ...] = (Parameter("input"),)
    symbol: str = ""
    """The Python operator for it, if there is one."""
    functions: tuple[str, ...] | None = None
    """Names it is called by; None for its own name alone."""
    properties: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Attribute names it is reached by, such as `T`, and the attributes they stand for."""
    elementwise: bool = False
    """Elements do not mix: operands broadcast, and contributions are summed back to shape."""
    arithmetic: bool = False
    """Of Python numbers it makes a Python number, as `+` does and `exp` does not."""
    differentiable: bool = True
    """Whether the output can require grad; that of a comparison or of `argmax` cannot."""

    @property
    def function_names(self) -> tuple[str, ...]:
        """The names by which a call reaches it, torch's own first."""
        return (self.name,) if self.functions is None else self.functions

    def grad_fn_of(self, application: Application) -> str:
        """The class name of torch's autograd node for this application."""
        return self.grad_fn if isinstance(self.grad_fn, str) else self.grad_fn(application)


def fill(template: Template, texts: Mapping[str, str]) -> str:
    """A template with its names replaced."""
    return template.format(**texts) if isinstance(template, str) else template(**texts)


class OperandError(ValueError):
    """Operands that an operation cannot take; `fix` says what would work."""

    def __init__(self, message: str, fix: str = "") -> None:
        super().__init__(message)
        self.fix = fix
