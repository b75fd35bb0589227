"""What PyTorch has and this program has not, with the nearest thing that is there.

Whatever is named here is refused at its place; a name that is neither here nor known anywhere is
an unknown name, with the nearest spelling for an answer.
"""

from __future__ import annotations

import builtins
from collections.abc import Iterable, Mapping
from typing import Final

from backprop_engine.basics.source import Advice, ProblemError, Span
from backprop_engine.catalogue import FUNCTIONS
from backprop_engine.grammar.syntax import Action, Attribute, Call, Name, Setting
from backprop_engine.program.torch_names import in_torch

_WRITE_OUT: Final = Advice(
    "write the numbers out under `inputs:`",
    "write the numbers out, as in `torch.tensor([0, 2, 1])`",
)
_BACKWARD: Final = Advice(
    "write `backward: y` and look at `x.grad`", "call `y.backward()` and look at `x.grad`"
)
_ROWS: Final = Advice(
    "for one row after the other write `backward: {of: y, gradient: [1, 0]}`",
    "for one row after the other call `y.backward(gradient=torch.tensor([1., 0.]))`",
)
_NO_GRAD: Final = "put the lines into a `with torch.no_grad():` block"
_ONE_DTYPE: Final = "leave it out: all floats have one dtype"
_STAYS: Final = "leave it out: every value is shown as it is"
_NEW_VALUE: Final = "give the changed value a new name, such as `w_new = w - 0.1 * g`"
_NO_STEP: Final = Advice(
    "one scenario shows one step: compute the loss",
    "one program shows one step: compute the loss and call `loss.backward()`",
)
_CLEAR: Final = "write `x.grad = None` for each input"
_SPELL_OUT: Final = "write out what it computes, such as `x @ W.T + b`"

_CONVOLUTION: Final = "write `F.conv2d(x, weight, bias)`, with the weight and the bias tensors"
_NORM: Final = "write `F.layer_norm(x, x.shape[-1:], weight, bias)`, with both of them tensors"
_BATCH_NORM: Final = "write `F.batch_norm(x, None, None, weight, bias, training=True)`"
_RECURRENT: Final = "write one step out, such as `h = torch.tanh(x @ W.T + h @ U.T + b)`"
_ATTENTION: Final = "write `F.scaled_dot_product_attention(q, k, v)`"

_FUNCTIONS: Final[Mapping[str, str | Advice]] = {
    **dict.fromkeys(("multinomial", "bernoulli", "poisson"), _WRITE_OUT),
    **dict.fromkeys(("empty", "empty_like", "from_numpy", "array", "new_tensor"), _WRITE_OUT),
    **dict.fromkeys(("rand_like", "randn_like", "normal"), "write the shape: `torch.randn(3, 4)`"),
    "full_like": "write `c * torch.ones_like(x)`",
    "logspace": "write `10 ** torch.linspace(start, end, steps)`",
    "Variable": Advice(
        "make it an input, under `inputs:`", "write `torch.tensor(…, requires_grad=True)`"
    ),
    "grad": _BACKWARD,
    **dict.fromkeys(("jacobian", "hessian", "vjp", "jvp", "jacrev", "jacfwd", "hvp"), _ROWS),
    **dict.fromkeys(("set_grad_enabled", "no_grad", "inference_mode"), _NO_GRAD),
    "enable_grad": "everything outside of `with torch.no_grad():` is recorded anyway",
    **dict.fromkeys(("half", "bfloat16", "type"), _ONE_DTYPE),
    **dict.fromkeys(("long", "int", "short"), _WRITE_OUT),
    **dict.fromkeys(("to", "cuda", "cpu"), _STAYS),
    **dict.fromkeys(("numpy", "tolist"), "write `.detach()`: the same numbers without a gradient"),
    **dict.fromkeys(("register_hook", "register_post_accumulate_grad_hook"), _STAYS),
    "device": "leave it out: no number depends on it here",
    "range": "write `torch.arange(3)`",
    "gradcheck": "`backprop-tui check` compares with torch and with finite differences",
    "zero_grad": _CLEAR,
    **dict.fromkeys(("step", "SGD", "Adam", "AdamW", "RMSprop", "Adagrad"), _NO_STEP),
    "Linear": Advice(
        "write `x @ W.T + b`, with `W` and `b` among the inputs",
        "write `x @ W.T + b`, with `W = torch.randn(2, 3, requires_grad=True)` and `b` alike",
    ),
    "Bilinear": _SPELL_OUT,
    "Sequential": "write one line for each layer, such as `h = torch.tanh(x @ W.T + b)`",
    "Module": "write its parameters as tensors, and out what its `forward` computes",
    "PReLU": "write `F.prelu(x, weight)`, with the weight a tensor",
    "Embedding": "write `F.embedding(idx, W)`, or `W[idx]`, with `W` a tensor",
    **dict.fromkeys(("Conv1d", "Conv2d", "Conv3d"), _CONVOLUTION),
    **dict.fromkeys(("LayerNorm", "RMSNorm", "GroupNorm"), _NORM),
    **dict.fromkeys(("BatchNorm1d", "BatchNorm2d", "BatchNorm3d"), _BATCH_NORM),
    **dict.fromkeys(("RNN", "LSTM", "GRU", "RNNCell", "LSTMCell", "GRUCell"), _RECURRENT),
    **dict.fromkeys(("MultiheadAttention", "Transformer"), _ATTENTION),
    **dict.fromkeys(("set_printoptions", "use_deterministic_algorithms", "seed"), _STAYS),
    "bool": "compare with a number, such as `x != 0`",
    "detach_": "write `x = x.detach()`",
    "compile": "leave it out: it changes no number",
}
"""Functions and methods."""

_MODULES: Final[Mapping[str, str | Advice]] = {
    "optim": _NO_STEP,
    "nn": _SPELL_OUT,
    "distributions": _WRITE_OUT,
    "autograd": _BACKWARD,
    "func": _ROWS,
}
"""Parts of torch, by the last word before the function."""

_ATTRIBUTES: Final[Mapping[str, str]] = {
    **dict.fromkeys(("shape", "ndim", "dtype", "device"), "write it out, or put it into `print`"),
    **dict.fromkeys(("grad_fn", "is_leaf", "requires_grad"), "only `print` can mention it"),
    "requires_grad_": "call it: `.requires_grad_()`",
}

_LISTED: Final = "`backprop-tui ops` lists what it has"
NEAREST: Final[Mapping[str, str]] = {
    **dict.fromkeys(("nanmean", "nanmedian"), "nansum"),
    **dict.fromkeys(("quantile", "nanquantile"), "kthvalue"),
    "mode": "median",
    **dict.fromkeys(("cdist", "pdist", "dist"), "pairwise_distance"),
    **dict.fromkeys(("qr", "svd", "eig", "eigh", "lu"), "cholesky"),
    **dict.fromkeys(("lstsq", "pinv"), "solve"),
    **dict.fromkeys(("lgamma", "gammaln", "digamma", "polygamma"), "log"),
    **dict.fromkeys(("erfinv", "ndtri", "log_ndtr"), "erf"),
    **dict.fromkeys(("ctc_loss", "CTCLoss"), "cross_entropy"),
    **dict.fromkeys(("multi_margin_loss", "MultiMarginLoss"), "cross_entropy"),
    **dict.fromkeys(("cosine_embedding_loss", "CosineEmbeddingLoss"), "cosine_similarity"),
    **dict.fromkeys(("triplet_margin_loss", "TripletMarginLoss"), "pairwise_distance"),
    "gumbel_softmax": "softmax",
    **dict.fromkeys(("rrelu", "RReLU"), "leaky_relu"),
    **dict.fromkeys(("adaptive_avg_pool1d", "AdaptiveAvgPool1d"), "avg_pool1d"),
    **dict.fromkeys(("interpolate", "upsample", "Upsample"), "repeat_interleave"),
    "grid_sample": "index_select",
    "conv3d": "conv2d",
    **dict.fromkeys(("conv_transpose1d", "ConvTranspose1d"), "conv_transpose2d"),
    "index_copy": "index_add",
    "nonzero": "masked_select",
}
"""What torch has and this program has not: the nearest function, where it is nearer than the
spelling tells."""

_OF_PYTHON: Final[Mapping[str, str]] = {
    "sorted": "write the items in their order, or `x.sort().values` of a tensor",
    "divmod": "write `a // b` and `a % b`",
    **dict.fromkeys(("map", "filter"), "write a list, such as `[x * x for x in xs]`"),
    **dict.fromkeys(("str", "repr", "format"), "write the text, or put it into `print`"),
}

_ELSEWHERE: Final[Mapping[str, str]] = {
    "backward": "it is a statement of its own, such as `y.backward()`",
    "retain_grad": "it is a statement of its own, such as `h.retain_grad()`",
    "requires_grad_": "it is a statement of its own, such as `x.requires_grad_()`",
    "manual_seed": "it is a statement of its own, such as `torch.manual_seed(0)`",
    "zero_": "only `x.grad.zero_()` is known, as a statement of its own",
    "Parameter": "write `w = nn.Parameter(torch.tensor(…))` with the numbers written out",
}
"""What is known, and cannot be a part of an expression."""


def function(call: Call) -> ProblemError | None:
    """Why a call that is no operation is not supported; None where nothing is known about it."""
    name = call.function
    module = call.prefix.rpartition(".")[2]
    if name in _ELSEWHERE:
        return ProblemError(
            f"`{name}` gives no value to compute with", call.function_span, fix=_ELSEWHERE[name]
        )
    fix = _FUNCTIONS.get(name, "")
    if call.receiver is None and module == "nn" and not name[:1].isupper():
        return None
    if not fix and call.receiver is None and name not in NEAREST:
        fix = _MODULES.get(module, "")
    written = f"{call.prefix}.{name}" if call.prefix else name
    if not fix and is_in_place(name) and (call.receiver or name[:-1] in FUNCTIONS):
        return ProblemError(
            f"`{written}` is not supported: it changes a value in place, and backward may need the "
            "value as it was",
            call.function_span,
            fix=_without_underscore(call),
        )
    if not fix:
        return None
    return ProblemError(f"`{written}` is not supported", call.function_span, fix=fix)


def of_python(call: Call) -> ProblemError | None:
    """A function that Python has built in, and nobody runs here; None for any other."""
    if call.receiver is not None or call.prefix or not hasattr(builtins, call.function):
        return None
    fix = _OF_PYTHON.get(call.function, "write out what it gives")
    return ProblemError(
        f"`{call.function}` is Python's own, and the text is read here without Python",
        call.function_span,
        fix=fix,
    )


def of_torch(call: Call, known: Iterable[str]) -> ProblemError | None:
    """A function or method that torch has, with the nearest of the `known` ones; else None."""
    is_method = call.receiver is not None
    found = in_torch(call.prefix, call.function, is_method=is_method)
    return None if found is None else _missing(found, call.function, call.function_span, known)


def _missing(found: str, name: str, span: Span, known: Iterable[str]) -> ProblemError:
    words = set(known)
    near = [NEAREST[name]] if name in NEAREST else []
    # `nansum` is a kind of `sum`, `adaptive_avg_pool2d` of `avg_pool2d`; spelling says no more.
    near += sorted(
        (word for word in words if len(word) > 2 and word in name), key=len, reverse=True
    )
    return ProblemError(
        f"torch has `{found}`, and backprop-tui does not",
        span,
        fix=f"the nearest function here is `{near[0]}`" if near else _LISTED,
    )


def _without_underscore(call: Call) -> str:
    """`x = x.relu()` for `x.relu_()`."""
    plain = call.function.removesuffix("_")
    if plain not in FUNCTIONS:
        return _NEW_VALUE
    if not isinstance(call.receiver, Name):
        return f"write `{plain}`, which gives a new value"
    name = call.receiver.name
    return f"write `{name} = {name}.{plain}({'…' if call.arguments else ''})`"


def is_in_place(name: str) -> bool:
    """Whether a method changes its receiver, as torch's names tell: `add_`."""
    return name.endswith("_") and not name.endswith("__")


def attribute(expression: Attribute) -> ProblemError | None:
    """Why a property is not supported; None where nothing is known about it."""
    fix = _ATTRIBUTES.get(expression.name)
    if fix is None:
        found = in_torch("", expression.name, is_method=True)
        if found is None or expression.name in FUNCTIONS:
            return None
        return _missing(found, expression.name, expression.name_span, FUNCTIONS)
    return ProblemError(f"`.{expression.name}` is not supported", expression.name_span, fix=fix)


def action(call: Call, text: str) -> ProblemError:
    """A call that stands alone and does nothing here."""
    known = None if call.function in _ELSEWHERE else function(call)
    if call.prefix.endswith("autograd") and call.function == "backward":
        known = ProblemError(
            "`torch.autograd.backward` is not supported",
            call.function_span,
            fix="write `y.backward()`",
        )
    if known is not None:
        return known
    fix = f"write `y = {text}`" if len(text) <= 40 and "=" not in text else "write `y = …`"
    return ProblemError("this value has no name", call.span, "`name = expression`", fix)


def in_loop(statement: Action | Setting, text: str) -> ProblemError:
    """A statement that computes nothing, in a loop."""
    name = statement.call.function if isinstance(statement, Action) else statement.target.name
    fix = _NO_STEP if name in ("backward", "step", "zero_grad", "grad", "zero_", "data") else ""
    return ProblemError(
        f"`{text}` cannot stand in a loop: loops compute, and do nothing else",
        statement.span,
        "`name = expression`",
        fix or "put it in front of the loop, or below it",
    )


def random_in_loop(call: Call) -> ProblemError:
    """`torch.randn(3)` in a loop, which would be other numbers each time."""
    return ProblemError(
        f"`{call.function}` in a loop would draw other numbers each time",
        call.span,
        fix="draw all of them in front of it, `r = torch.randn(20, 3)`, and take `r[i]`",
    )


def keyword(name: str, span: Span) -> ProblemError:
    """An argument that `backward` has in torch alone."""
    fixes = {
        "create_graph": "gradients of gradients are not computed",
        "inputs": "leave it out: every input that requires grad gets its `.grad`",
    }
    return ProblemError(
        f"`{name}` of `backward` is not supported",
        span,
        "`y.backward(gradient=…, retain_graph=True)`",
        fixes.get(name, "leave it out"),
    )


def setting(target: Attribute, text: str) -> ProblemError:
    """An assignment to an attribute, or a change of one, that cannot be."""
    fixes = {"data": f"write `{text}.copy_(…)`", "grad": "gradients come from `backward`"}
    fix = fixes.get(target.name, "give the value a name of its own")
    return ProblemError(f"`{text}` cannot be assigned", target.span, "`name = expression`", fix)


def change_of_grad(text: str, span: Span) -> ProblemError:
    """`x.grad.mul_(2)`."""
    return ProblemError(
        f"`{text}` changes a gradient, which only `backward` and `zero_()` do here",
        span,
        fix="change the loss instead, such as `(2 * loss).backward()`",
    )


def grad_of_non_leaf(name: str, span: Span) -> ProblemError:
    """`.grad` of a value that is computed, and was not told to keep it."""
    return ProblemError(
        f"the .grad attribute of a Tensor that is not a leaf Tensor is being accessed: `{name}` "
        "is computed, and its .grad attribute won't be populated during autograd.backward()",
        span,
        "the `.grad` of an input",
        f"write `{name.partition('@')[0]}.retain_grad()` below the line that assigns it, "
        "and it is kept",
    )
