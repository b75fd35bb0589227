"""What is written down: samples that are not run, and functions that torch's database has not.

Nothing is left out that does not stand here, with its number. `python -m tests.catalogue NAME`
prints every refusal of a function with what was said.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tests.catalogue.writing import Reason

ARGUMENT, DTYPE, OTHER_FLOAT = Reason.ARGUMENT, Reason.DTYPE, Reason.OTHER_FLOAT
LARGE, RANDOM = Reason.LARGE, Reason.RANDOM
KEYWORD, VALUE = Reason.KEYWORD, Reason.VALUE
OPERANDS, UNSUPPORTED = Reason.OPERANDS, Reason.UNSUPPORTED

REFUSED: Final[Mapping[str, Mapping[Reason, int]]] = {
    "__rmatmul__": {LARGE: 3},
    "argsort": {LARGE: 2},
    "bmm.triton_optimized": {LARGE: 6},
    "clamp": {DTYPE: 4},  # bounds of another dtype
    "double": {OTHER_FLOAT: 2, ARGUMENT: 6},  # memory_format=
    "float": {OTHER_FLOAT: 2, ARGUMENT: 6},  # memory_format=
    "float_power": {OTHER_FLOAT: 9},  # torch computes it in float64 always
    "gather": {DTYPE: 6},  # an index in int32
    "linalg.norm": {VALUE: 4, OPERANDS: 4},  # ord='nuc', and 0
    "linalg.norm.subgradients_at_zero": {VALUE: 3, OPERANDS: 4},  # ord='nuc', and 0
    "log_softmax.with_dtype": {OTHER_FLOAT: 7},
    "mT": {LARGE: 2},
    "matmul": {LARGE: 3},
    "narrow": {VALUE: 10},  # a start that is a tensor
    "nn.functional.adaptive_avg_pool2d": {LARGE: 2, VALUE: 10},  # a size of None
    "nn.functional.batch_norm": {OPERANDS: 14},  # training=False
    "nn.functional.dropout": {RANDOM: 10},
    "nn.functional.scaled_dot_product_attention": {RANDOM: 12},
    "nn.functional.softmin.with_dtype": {OTHER_FLOAT: 7},
    "norm": {OPERANDS: 1},  # p=0 counts, and has no gradient
    "norm.nuc": {VALUE: 4},
    "scatter": {DTYPE: 2},  # an index in int32
    "softmax.with_dtype": {OTHER_FLOAT: 7},
    "sort": {LARGE: 2},
    "unfold": {OPERANDS: 2},
}
"""At most so many samples of an entry, both dtypes together, by reason."""

NOT_IN_DATABASE: Final[Mapping[str, str]] = {
    "index_put": "it is written `y[0] = v`, and tested with the changes in place",
    "copy": "it is written `y.copy_(v)`, likewise",
    "fill": "it is written `y.fill_(v)`, likewise; the database has `torch.fill`",
    "copy_slices": "it is what a change of a view makes of its base, likewise",
    "new_numbers": "it is what a change inside of `no_grad` makes, likewise",
    "detach": "it computes nothing; its lack of a gradient is tested with the semantics",
    "data": "likewise; it is the property `y.data`",
}
"""Operations none of whose names is in the database, and where they are tested."""
