"""Modules of `torch.nn` without parameters: `nn.ReLU()(x)` is `F.relu(x)`.

So are `criterion = nn.MSELoss()` and `criterion(y, t)`, and `f = torch.sin` and `f(x)`. A module or
a function is no value, only a way to call a function; a module with parameters of its own is
refused, since a program here writes its tensors out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.source import ProblemError
from backprop_engine.basics.suggestions import did_you_mean
from backprop_engine.catalogue import FUNCTIONS
from backprop_engine.grammar import syntax
from backprop_engine.grammar.syntax import Call, Expression, FunctionName
from backprop_engine.operation import Kind

_ALIKE: Final = (
    "ReLU", "ReLU6", "Sigmoid", "Tanh", "LogSigmoid", "SiLU", "Mish", "SELU", "Softsign",
    "Tanhshrink", "Hardsigmoid", "Hardswish", "GELU", "ELU", "CELU", "LeakyReLU", "Softplus",
    "Hardtanh", "Hardshrink", "Softshrink", "Threshold", "GLU", "Flatten", "Dropout",
    "CosineSimilarity", "PairwiseDistance", "MSELoss", "L1Loss", "SmoothL1Loss", "HuberLoss",
    "NLLLoss", "CrossEntropyLoss", "KLDivLoss", "SoftMarginLoss", "GaussianNLLLoss",
    "MarginRankingLoss", "HingeEmbeddingLoss",
)  # fmt: skip
"""Modules called like their functions, that take what their functions take besides values."""
_OF_THE_CALL: Final = ("inplace", "training", "seed")
"""What such a function takes, and its module does not hand on."""
_BCE: Final = ("weight", "size_average", "reduce", "reduction")
_POOL: Final = ("kernel_size", "stride", "padding")


def _function_alike(module: str) -> tuple[str, tuple[str, ...]]:
    """`mse_loss` of `MSELoss`, with the module's own arguments."""
    called = (module.lower(), module.lower().removesuffix("loss"))
    function = next(name for name in FUNCTIONS if name.replace("_", "") in called)
    names = (
        parameter.name
        for parameter in FUNCTIONS[function][0].spelling.parameters
        if parameter.kind is not Kind.OPERAND
        or (parameter.default is None and not parameter.refusal)
    )
    return function, tuple(name for name in names if name not in _OF_THE_CALL)


MODULES: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    **{module: _function_alike(module) for module in _ALIKE},
    "Softmax": ("softmax", ("dim",)),
    "Softmin": ("softmin", ("dim",)),
    "LogSoftmax": ("log_softmax", ("dim",)),
    "MaxPool1d": ("max_pool1d", _POOL),
    "MaxPool2d": ("max_pool2d", _POOL),
    "AvgPool1d": ("avg_pool1d", _POOL),
    "AvgPool2d": ("avg_pool2d", _POOL),
    "PoissonNLLLoss": ("poisson_nll_loss", ("log_input", "full")),
    "BCELoss": ("binary_cross_entropy", _BCE),
    "BCEWithLogitsLoss": ("binary_cross_entropy_with_logits", (*_BCE, "pos_weight")),
}
"""By the module's name: the function, and the names of the module's own arguments in order."""

_DEFAULTS: Final[Mapping[str, Mapping[str, int]]] = {"Flatten": {"start_dim": 1}}
"""Arguments that the module has another default for than the function."""

_IDENTITY: Final = "Identity"
_IN_PLACE: Final = "inplace"


@dataclass(frozen=True, slots=True, eq=False)
class Module:
    """A module as it was made, `nn.Softmax(dim=-1)`, or a function by its name."""

    made: Call | FunctionName

    @property
    def kind(self) -> str:
        """What to call it."""
        return "function" if isinstance(self.made, FunctionName) else "module"

    def __len__(self) -> int:
        return 0


def module(expression: Expression) -> Module | None:
    """The module that a call makes, if it is one without parameters."""
    if not isinstance(expression, Call) or expression.prefix not in ("nn", "torch.nn"):
        return None
    name = expression.function
    return Module(expression) if name in MODULES or name == _IDENTITY else None


def called(made: Call | FunctionName, call: Call) -> Expression:
    """`F.mse_loss(y, t)` for `criterion(y, t)`, where `made` is what `criterion` was made by."""
    if isinstance(made, FunctionName):
        return replace(call, function=made.function, receiver=None, prefix=made.prefix)
    if made.function == _IDENTITY:
        if len(call.arguments) != 1 or call.keywords:
            raise ProblemError("`nn.Identity()` takes one value", call.span)
        return call.arguments[0]
    function, names = MODULES[made.function]
    if len(made.arguments) > len(names):
        raise ProblemError(
            f"`nn.{made.function}` takes at most {len(names)} arguments",
            made.arguments[len(names)].span,
        )
    given = dict(zip(names, made.arguments, strict=False))
    for name, value in made.keywords:
        if name in given:
            raise ProblemError(f"`nn.{made.function}` got `{name}` twice", value.span)
        if name not in names and name != _IN_PLACE:
            raise ProblemError(
                f"`nn.{made.function}` has no keyword `{name}` here",
                made.keyword_spans.get(name, value.span),
                f"nn.{made.function}({', '.join(names)})",
                did_you_mean(name, names),
            )
        given[name] = value
    for name, default in _DEFAULTS.get(made.function, {}).items():
        given.setdefault(name, syntax.Number(default, made.span))
    return replace(
        call,
        function=function,
        receiver=None,
        prefix="F",
        keywords=(*call.keywords, *given.items()),
    )
