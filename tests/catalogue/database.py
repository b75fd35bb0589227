"""Torch's own operator test database: which of its entries are ours too, and their samples.

The database (`op_db`) has for each function of torch an entry with sample inputs, the ones torch
tests itself with. They are made anew here from a fixed seed.
"""

from __future__ import annotations

import operator
import random
import warnings
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from itertools import islice
from typing import Any, Final, NamedTuple

import numpy as np
import torch

from backprop_engine.basics.values import Dtype
from backprop_engine.catalogue import BINARY, FUNCTIONS, PROPERTIES

MODULES = ("", "nn.functional", "linalg", "special")
"""Where in torch our functions live; `masked.softmax` and `sparse.sum` are other functions."""

REFLECTED: Mapping[str, tuple[str, Callable[[Any, Any], Any]]] = {
    "__radd__": ("+", operator.add),
    "__rsub__": ("-", operator.sub),
    "__rmul__": ("*", operator.mul),
    "__rdiv__": ("/", operator.truediv),
    "__rpow__": ("**", operator.pow),
    "__rmatmul__": ("@", operator.matmul),
}
"""Entries for an operator with the tensor on its right: how it is written, and what Python runs."""

DTYPES: Mapping[Dtype, torch.dtype] = {"float64": torch.float64, "float32": torch.float32}
_OTHERWISE: Mapping[Dtype, torch.dtype] = {"float64": torch.int64, "float32": torch.bool}
"""For what takes no floats: whole numbers and truth values, which scenarios have as well."""


@cache
def _database() -> list[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torch.testing._internal import common_utils
        from torch.testing._internal.common_methods_invocations import op_db
        from torch.testing._internal.opinfo import core
    # For each entry torch looks through all calls under way for a test of its own, which takes
    # longer than to make the samples; there is none. And it seeds devices, for each sample.
    for module in (common_utils, core):
        vars(module)["extract_test_fn"] = _no_test
    vars(common_utils)["set_rng_seed"] = _seed
    return list(op_db)


def _no_test() -> None:
    return None


def _seed(seed: int) -> None:
    """Seed what draws samples on the CPU."""
    torch.default_generator.manual_seed(seed)
    random.seed(seed)
    np.random.seed(seed)


def full_name(entry: Any) -> str:
    """`max` and its variants: `max.binary`."""
    variant = entry.variant_test_name
    return f"{entry.name}.{variant}" if variant else str(entry.name)


def functions_of(entry: Any) -> list[str]:
    """The dotted names of an entry that are functions of ours, its own name first."""
    names = [entry.name, *(alias.name for alias in entry.aliases)]
    return [
        name
        for name in dict.fromkeys(names)
        if name.rpartition(".")[0] in MODULES and function_name(name) in FUNCTIONS
    ]


def function_name(name: str) -> str:
    """What our catalogue calls a dotted name: `linalg.norm` so, but `linalg.inv` just `inv`.

    A name without a module that torch has as a method only is looked for as `Tensor.unfold`.
    """
    module, _, last = name.rpartition(".")
    if not module and not hasattr(torch, last):
        module = "Tensor"
    owned = f"{module.rpartition('.')[2]}.{last}"
    return owned if owned in FUNCTIONS else last


def is_shared(entry: Any) -> bool:
    """Whether it can be written as a function, a property, an operator or an index of ours."""
    name = entry.name
    return (
        bool(functions_of(entry))
        or name in PROPERTIES
        or (name in REFLECTED and REFLECTED[name][0] in BINARY)
        or name == "__getitem__"
    )


def every_name() -> set[str]:
    """The full names of all entries of the database."""
    return {full_name(one) for one in _database()}


@cache
def shared() -> dict[str, Any]:
    """The entries of the database that are ours too, by full name."""
    return {full_name(one): one for one in _database() if is_shared(one)}


_UNDERIVABLE: Final = ("floor_divide",)
"""Functions without a derivative in torch, which says so only when backward comes there; we say
so at once."""


class Answer(NamedTuple):
    """What torch answers to a sample."""

    outputs: tuple[Any, ...]
    is_one: bool
    """The output alone, not a tuple of outputs, be it of one."""
    is_number: bool = False
    """One of Python's, which is float64 in a program of float32 too."""


def run_by_torch(entry: Any, sample: Any) -> Answer:
    """Torch's own run of a sample."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if entry.name in REFLECTED:
            answer = REFLECTED[entry.name][1](sample.args[0], sample.input)
        else:
            answer = entry.op(sample.input, *sample.args, **sample.kwargs)
    if isinstance(answer, float | int):  # of `x.item()`
        double = torch.float64 if isinstance(answer, float) else None
        return Answer((torch.as_tensor(answer, dtype=double),), is_one=True, is_number=True)
    is_one = not isinstance(answer, tuple | list)
    return Answer((answer,) if is_one else tuple(answer), is_one)


def samples(entry: Any, dtype: Dtype, most: int | None = None) -> Iterator[Any]:
    """All sample inputs of an entry in a dtype, the same ones each time; none if it has not got it.

    With `most`, the first so many.
    Torch draws them from global generators, so these are seeded, and left as they were.
    """
    kind = DTYPES[dtype] if DTYPES[dtype] in entry.dtypes else _OTHERWISE[dtype]
    if kind not in entry.dtypes:
        return
    states = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _seed(0)
        try:
            has_gradients = kind.is_floating_point and entry.name not in _UNDERIVABLE
            made = entry.sample_inputs("cpu", kind, requires_grad=has_gradients)
            listed = list(islice(made, most))
        finally:
            random.setstate(states[0])
            np.random.set_state(states[1])
    yield from listed
