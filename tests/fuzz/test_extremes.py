"""Every operation of the catalogue at extreme numbers: of one class with torch's answer."""

from __future__ import annotations

import pytest
from tests.fuzz.extremes import differences
from tests.thorough import share

from backprop_engine.catalogue import OPERATIONS

OVERFLOWS = "an intermediate product overflows in one order of the factors and not in the other"
NEAR_SINGULAR = "LAPACK's pivots of a matrix of equal denormal or huge rows are rounding alone"
OPEN_TIE = "all elements are equal: which of them is taken torch leaves open"
CANCELS = "equal huge elements less their mean: what is left is the rounding of the mean"
ELSEWHERE = "torch's vector lanes and its scalar kernel differ"

KNOWN = {
    "floor_divide": ELSEWHERE,
    "kthvalue": OPEN_TIE,
    "cross": OVERFLOWS,
    "linalg.cross": OVERFLOWS,
    "det": NEAR_SINGULAR,
    "logdet": NEAR_SINGULAR,
    "slogdet": NEAR_SINGULAR,
    "inv": NEAR_SINGULAR,
    "solve": NEAR_SINGULAR,
    "matrix_power": OVERFLOWS,
    "cholesky": "torch hands on infinite elements, which have no factor",
    "linalg.cholesky": "torch hands on infinite elements, which have no factor",
    "scaled_dot_product_attention": OVERFLOWS,
    "batch_norm": CANCELS,
    "instance_norm": CANCELS,
    "mse_loss": OVERFLOWS,
    "rms_norm": OVERFLOWS,
    "isclose": "torch takes no number in the place of the tensor, and we do",
    "gaussian_nll_loss": OVERFLOWS,
}
"""Operations that differ, and why that is no one's fault."""

ONE_OF = share(usual=8, thorough=1)
"""Of so many replacements of an operand one is tried."""


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_every_operation_at_extreme_numbers_is_of_one_class_with_torch(dtype):
    found = {name: list(differences(one, dtype, ONE_OF)) for name, one in OPERATIONS.items()}
    assert {name: said for name, said in found.items() if said and name not in KNOWN} == {}
