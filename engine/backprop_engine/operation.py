"""What an operation is: its forward function, its derivatives, and how both are told to people.

The entries themselves stand in `backprop_engine.catalogue`, one for each operation. Everything
about an operation is in its entry and nowhere else.

Mathematics is written as templates over the values involved: `{a}`, `{b}`, … are the operands in
order, `{y}` is the output, `{g}` the upstream gradient and `{dim}` etc. an attribute. The package
`mathematics` reads them, and the same formula is told with names and with this run's numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from enum import Enum
from typing import Any

from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.memory_order import as_it_is
from backprop_engine.basics.values import Shape, Value, dtype_of, evaluate, shape_of
from backprop_engine.node_kinds import OnNumbers

Rule = Callable[..., Any]
"""`rule(upstream, output, *operands, **attributes)`: the contribution to one operand."""

Template = str | Callable[..., str]
"""A text with names in braces, or a function that chooses it: `text(numbers=…, **attributes)`."""

Numbers = Sequence[Value | None]
"""For each operand the number it is, if it is one that is written out; else None."""

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
    values: tuple[Any, ...] = ()
    """The operands themselves: how their elements lie in memory can decide."""
    requires_grad: tuple[bool, ...] = ()
    """For each operand, whether it requires grad."""


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
    kernel: Rule | None = None
    """The rule as torch's kernels compute it, where rounding may throw that further than ours."""
    in_torch: Callable[..., Any] | None = None
    """Where torch does not send the derivative at some operands: `in_torch(sent, upstream, output,
    *operands)`, what it sends there, and elsewhere what the rule has `sent`."""
    in_torch_words: str = ""
    """At which operands, and what torch sends there."""


REQUIRED: Any = object()


class Kind(Enum):
    """What an argument of a call may be; `Kind.FLAG("keepdim", False)` is a parameter that may."""

    OPERAND = "a value"
    AXIS = "an axis (a whole number)"
    OPERANDS = "a list of values"
    AXES = "an axis or a tuple of axes"
    SHAPE = "a shape (whole numbers)"
    WHOLE = "a whole number"
    SIZES = "a whole number or a tuple of whole numbers"
    NUMBER = "a number"
    SCALAR = "a number, which beside whole numbers stays whole"
    TEXT = "a word in quotes"
    FLAG = "True or False"

    def __call__(self, name: str, default: Any = REQUIRED, **more: Any) -> Parameter:
        """A parameter of this kind."""
        return Parameter(name, self, default, **more)


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a function as torch spells it; `aliases` are its other keywords.

    An operand with the default None may be left out. Where one after it is given, `neutral` stands
    in for it as a constant (a weight of 1, a bias of 0), since operands are told by their order.
    """

    name: str
    kind: Kind = Kind.OPERAND
    default: Any = REQUIRED
    aliases: tuple[str, ...] = ()
    neutral: float | None = None
    choices: tuple[str, ...] = ()
    """For a TEXT: the words it may be; any where there are none."""
    is_ignored: bool = False
    """Taken from a pasted call and dropped: it changes no number here (`inplace=True`)."""
    is_spread: bool = False
    """For OPERANDS: they are given one by one, as those of `einsum("i,i", a, b)`, or in a list."""
    required_by: tuple[str, ...] = ()
    """Where torch has no default for it, by the last word before the dot: `softmax` asks for a
    `dim` in `torch` and as a method of a `Tensor`, and does without in `F`."""
    is_constant: bool = False
    """An operand that torch has no derivative by, and refuses where it requires grad."""
    refusal: str = ""
    """For what keeps its place in torch's signature and is not supported: it may be given as its
    default alone, and this is what to write instead."""

    @property
    def is_taken(self) -> bool:
        """Whether it reaches the operation: neither ignored nor there to be refused."""
        return not self.is_ignored and not self.refusal


def operands_of(parameters: Sequence[Parameter]) -> list[Parameter]:
    """Those that are single operands and reach the operation."""
    return [
        parameter
        for parameter in parameters
        if parameter.kind is Kind.OPERAND and parameter.is_taken
    ]


class Sharing(Enum):
    """Whether the output lies in the memory of the first operand, as a view in torch."""

    NEVER = "a new value"
    ALWAYS = "a view"
    HANDED_THROUGH = "the operand itself where nothing is to be done, else a new value"
    WHERE_POSSIBLE = "a view where the elements can be read as they lie, else a copy"


class Rounding(Enum):
    """What the rounding errors of two good libraries, for the same operands, are bounded by."""

    ULP = "4 units in the last place"
    """One elementary function of each element."""
    TERMS = "γ·Σ|terms|"
    """Sums and products of the operands: the terms are the operation on their magnitudes."""
    CONDITION = "what operands a few roundoffs away would give"
    """Everything that is computed in several steps: softmax, a norm, an inverse."""


@dataclass(frozen=True, slots=True)
class Spelling:
    """How programs call an operation."""

    functions: tuple[str, ...]
    """The names in calls, torch's own first; none where it is reached in another way alone."""
    parameters: tuple[Parameter, ...]
    method: tuple[str, ...]
    """The parameters in the order of the method form, mostly the same; none where it has none."""
    symbol: str = ""
    """The Python operator for it, if there is one."""
    properties: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Attribute names it is reached by, such as `T`, and the attributes they stand for."""

    @property
    def method_parameters(self) -> tuple[Parameter, ...]:
        """The parameters in the order of the method form."""
        by_name = {parameter.name: parameter for parameter in self.parameters}
        return tuple(by_name[name] for name in self.method)

    @property
    def constants(self) -> Mapping[int, str]:
        """The operands that must not require grad, and what torch calls them."""
        operands = enumerate(operands_of(self.parameters))
        return {at: operand.name for at, operand in operands if operand.is_constant}


@dataclass(frozen=True, slots=True)
class Description:
    """How an operation is told to people; its derivatives tell their own part."""

    notation: Template
    """The operation as mathematics."""
    words: str = ""
    """What it does, in a few plain words."""
    composite: Template = ""
    """What it is made of, if it can be opened: statements over `a`, `b`, … in the language of
    scenarios, the last one the result. A function is given `shapes` and `dtypes` with the
    attributes, and answers with an empty text where these operands have none."""
    example: str = ""
    """A scenario in the shorthand that shows it: `x=2, y=exp(x)`."""

    def opened(self, operands: Sequence[Value], attributes: Mapping[str, Any]) -> str:
        """The statements of its composite for these operands; empty where it has none."""
        if isinstance(self.composite, str):
            return self.composite.format(**attributes)
        shapes = tuple(map(shape_of, operands))
        return self.composite(shapes=shapes, dtypes=tuple(map(dtype_of, operands)), **attributes)


@dataclass(frozen=True, slots=True)
class Twins:
    """What the oracles run in the place of an operation."""

    torch: Callable[..., Any]
    """`torch(torch_module, *operands, **attributes)`."""
    grad_fn: str | Callable[[Application], str] = ""
    """The class name of the autograd node torch makes for it; empty where torch hands the first
    operand through as it is, or where there is no gradient."""
    symbolic: Callable[..., Any] | None = None
    """`symbolic(sympy, *operands, **attributes)`, a sympy expression of scalars, if it has one."""

    def grad_fn_of(self, application: Application) -> str:
        """The class name of torch's autograd node for this application."""
        return self.grad_fn if isinstance(self.grad_fn, str) else self.grad_fn(application)


@dataclass(frozen=True, slots=True)
class Operation:
    """An entry of the catalogue: its mathematics, and how it is called, told and checked."""

    name: str
    forward: Callable[..., Any]
    """`forward(*operands, **attributes)`, on floats and arrays alike."""
    derivatives: tuple[Derivative, ...]
    """One for each operand; an operand beyond them (an index, a model of a shape) gets none."""
    spelling: Spelling
    description: Description
    twins: Twins

    elementwise: bool = False
    """Elements do not mix: operands broadcast, and contributions are summed back to shape."""
    broadcasts: bool = False
    """Its operands are broadcast though its elements mix, as those of a loss are."""
    arithmetic: bool = False
    """Of Python numbers it makes a Python number, as `+` does and `exp` does not."""
    gives_number: bool = False
    """Its output is a Python number, as that of `x.item()` is, whatever its operands are."""
    differentiable: bool = True
    """Whether the output can require grad. Whole numbers and truth values never can, so this is
    needed for `detach` and its like alone."""
    variadic: bool = False
    """It takes any number of operands. Its one derivative is for each of them, and the rule is
    told which by the keyword `position`."""
    sharing: Sharing = Sharing.NEVER
    """Whether it is a view of the first operand, which a change in place then changes too."""
    wide: tuple[str, ...] = ()
    """The parameters for which torch reads a number of Python's as it is; for others it makes a
    float of the dtype of it, and refuses what float32 has no room for."""
    lay_out: Callable[..., Any] = as_it_is
    """`lay_out(made, operands, attributes)`: what `forward` has made, an array of several axes, as
    it lies in memory with torch."""
    outputs: Callable[..., tuple[str, ...]] | None = None
    """For an operation with several outputs: their names (`values`, `indices`; `0`, `1`, …), from
    the operands and attributes. A node is one of them: the one at the attribute `output`."""
    form_for: Callable[[tuple[bool, ...]], Operation] | None = None
    """For an operation that torch computes otherwise where operands are Python's numbers: which
    of its forms, all of one name and without forms of their own, it is for these."""
    rounding: Rounding = Rounding.TERMS
    """The bound that applies to its rounding errors."""
    terms: Callable[..., int] = lambda *_operands, **_attributes: 1
    """For sums that are scaled, such as a mean: `terms(*operands, **attributes)` is how many terms
    go into one number of the result, or of a contribution, at most; others sum ones to count."""
    slope_error: float = 0.0
    """How far torch's slope, and so ours, is off the mathematical one, relatively: where a kernel
    holds a constant in fewer bits than the numbers have."""
    tied: Callable[..., Any] | None = None
    """For what picks elements: `tied(a, **attributes)` is true where another element that is equal
    could be picked in the place of this one, or this one in the place of another."""
    differentiated_at: Callable[..., tuple[list[Any], Mapping[str, Any]]] | None = None
    """Where torch's derivative is, as it documents, not that of the forward function alone:
    `differentiated_at(operands, recorded, attributes)` are the operands and attributes at which
    finite differences call `forward` in the place of those they have."""
    unsettled: Callable[..., Any] | None = None
    """Where what is computed hangs on the library, besides what overflows in some order:
    `unsettled(operands, attributes, upstream)`, which is None for the value itself, has truth
    values that broadcast to the result."""
    open_zeros: Callable[..., Any] | None = None
    """Where the library may give 0 or −0: `open_zeros(*operands, **attributes)`."""

    on_numbers: OnNumbers = field(init=False, repr=False, compare=False)
    """How it makes a float of one or two floats, if it does."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "on_numbers", OnNumbers(self))

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules of its derivatives."""
        return tuple(derivative.rule for derivative in self.derivatives)

    def most_terms(self, operands: Sequence[Value], attributes: Mapping[str, Any]) -> int:
        """How many scaled terms go into one number; 1 where the terms are not scaled."""
        return max(self.terms(*operands, **attributes), 1)

    def is_open(
        self,
        operands: Sequence[Value],
        attributes: Mapping[str, Any],
        upstream: Value | None = None,
    ) -> Any:
        """Where nobody can know what it makes of the operands, or sends back to one of them."""
        return self.unsettled is not None and self.unsettled(operands, attributes, upstream)

    def derivative(self, position: int) -> Derivative:
        """How it answers for the operand at `position`."""
        return self.derivatives[0 if self.variadic else position]

    def send(
        self,
        position: int,
        upstream: Any,
        output: Any,
        operands: Sequence[Any],
        attributes: Mapping[str, Any],
        *,
        as_torch: bool = False,
    ) -> Any:
        """Upstream × local for the operand at `position`, not yet summed back to its shape.

        With `as_torch`, what torch sends where that is not the derivative.
        """
        if self.variadic:
            attributes = {**attributes, "position": position}
        derivative = self.derivative(position)
        sent = evaluate(derivative.rule, (upstream, output, *operands), attributes)
        if not as_torch or derivative.in_torch is None:
            return sent
        return evaluate(derivative.in_torch, (sent, upstream, output, *operands), attributes)


def chosen(template: Template, numbers: Numbers, attributes: Mapping[str, Any]) -> str:
    """A template as text, its holes still open."""
    return template if isinstance(template, str) else template(numbers=numbers, **attributes)
