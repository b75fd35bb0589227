"""How elements lie in memory. numpy often keeps the order of an operand where torch starts anew;
`view`, and the `grad_fn` of a `reshape`, hang on it.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def by_rows(a: Any) -> Any:
    """The same numbers, laid out row by row: what torch calls contiguous."""
    return np.asarray(a, order="C")


def by_columns(a: Any) -> Any:
    """The same matrices, laid out column by column as LAPACK leaves them."""
    return np.swapaxes(by_rows(np.swapaxes(a, -1, -2)), -1, -2)
