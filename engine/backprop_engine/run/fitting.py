"""Whether a tensor can take the value that a change in place makes of it."""

from __future__ import annotations

from backprop_engine.basics.source import OperandError
from backprop_engine.basics.values import Value, dtype_of, shape_of

_KINDS = {"bool": 0, "int64": 1, "float32": 2, "float64": 2}
"""What can be cast to what: to its own kind and to those above."""
_TORCH_DTYPES = {"bool": "Bool", "int64": "Long", "float32": "Float", "float64": "Double"}


def check_fits(before: Value, made: Value) -> None:
    """Raise OperandError in torch's words where `made` has another shape, or a dtype above."""
    shape, made_shape = shape_of(before), shape_of(made)
    if shape != made_shape:
        raise OperandError(
            f"output with shape {list(shape)} doesn't match the broadcast shape {list(made_shape)}",
            "for a value of another shape write `y = y + …`",
        )
    dtype, made_dtype = dtype_of(before), dtype_of(made)
    if _KINDS[made_dtype] > _KINDS[dtype]:
        raise OperandError(
            f"result type {_TORCH_DTYPES[made_dtype]} can't be cast to the desired output type "
            f"{_TORCH_DTYPES[dtype]}",
            "for a value of another dtype write `y = y + …`",
        )
