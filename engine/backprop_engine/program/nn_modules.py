"""Modules of `torch.nn` without parameters: `nn.ReLU()(x)` is `F.relu(x)`.

So are `criterion = nn.MSELoss()` and `criterion(y, t)`, and `f = torch.sin` and `f(x)`. A module or
a function is no value, only a way to call a function; a module with parameters of its own is
refused, since a program here writes its tensors out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from backprop_engine.basics.source import ProblemError
from backprop_engine.basics.suggestions import did_you_mean
from backprop_engine.grammar import syntax
from backprop_engine.grammar.syntax import Call, Expression, FunctionName

_LOSS: Final = ("size_average", "reduce", "reduction")
_POOL: Final = ("kernel_size", "stride", "padding")

MODULES: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "ReLU": ("relu", ()),
    "ReLU6": ("relu6", ()),
    "Sigmoid": ("sigmoid", ()),
    "Tanh": ("tanh", ()),
    "LogSigmoid": ("logsigmoid", ()),
    "SiLU": ("silu", ()),
    "Mish": ("mish", ()),
    "SELU": ("selu", ()),
    "Softsign": ("softsign", ()),
    "Tanhshrink": ("tanhshrink", ()),
    "Hardsigmoid": ("hardsigmoid", ()),
    "Hardswish": ("hardswish", ()),
    "GELU": ("gelu", ("approximate",)),
    "ELU": ("elu", ("alpha",)),
    "CELU": ("celu", ("alpha",)),
    "LeakyReLU": ("leaky_relu", ("negative_slope",)),
    "Softplus": ("softplus", ("beta", "threshold")),
    "Hardtanh": ("hardtanh", ("min_val", "max_val")),
    "Hardshrink": ("hardshrink", ("lambd",)),
    "Softshrink": ("softshrink", ("lambd",)),
    "Threshold": ("threshold", ("threshold", "value")),
    "GLU": ("glu", ("dim",)),
    "Softmax": ("softmax", ("dim",)),
    "Softmin": ("softmin", ("dim",)),
    "LogSoftmax": ("log_softmax", ("dim",)),
    "Flatten": ("flatten", ("start_dim", "end_dim")),
    "Dropout": ("dropout", ("p",)),
    "MaxPool1d": ("max_pool1d", _POOL),
    "MaxPool2d": ("max_pool2d", _POOL),
    "AvgPool1d": ("avg_pool1d", _POOL),
    "AvgPool2d": ("avg_pool2d", _POOL),
    "CosineSimilarity": ("cosine_similarity", ("dim", "eps")),
    "PairwiseDistance": ("pairwise_distance", ("p", "eps", "keepdim")),
    "MSELoss": ("mse_loss", _LOSS),
    "L1Loss": ("l1_loss", _LOSS),
    "SmoothL1Loss": ("smooth_l1_loss", (*_LOSS, "beta")),
    "HuberLoss": ("huber_loss", ("reduction", "delta")),
    "NLLLoss": ("nll_loss", ("weight", "size_average", "ignore_index", "reduce", "reduction")),
    "CrossEntropyLoss": (
        "cross_entropy",
        ("weight", "size_average", "ignore_index", "reduce", "reduction", "label_smoothing"),
    ),
    "BCELoss": ("binary_cross_entropy", ("weight", *_LOSS)),
    "BCEWithLogitsLoss": ("binary_cross_entropy_with_logits", ("weight", *_LOSS, "pos_weight")),
    "KLDivLoss": ("kl_div", (*_LOSS, "log_target")),
    "SoftMarginLoss": ("soft_margin_loss", _LOSS),
    "PoissonNLLLoss": ("poisson_nll_loss", ("log_input", "full")),
    "GaussianNLLLoss": ("gaussian_nll_loss", ("full", "eps", "reduction")),
    "MarginRankingLoss": ("margin_ranking_loss", ("margin", *_LOSS)),
    "HingeEmbeddingLoss": ("hinge_embedding_loss", ("margin", *_LOSS)),
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
