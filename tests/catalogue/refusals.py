"""What is written down: samples that are not run, and functions that torch's database has not.

Nothing is left out that does not stand here, with its number. `python -m tests.catalogue NAME`
prints every refusal of a function with what was said.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tests.catalogue.writing import Reason

KEYWORD, LARGE = Reason.KEYWORD, Reason.LARGE

REFUSED: Final[Mapping[str, Mapping[Reason, int]]] = {
    "__rmatmul__": {LARGE: 3},
    "add": {KEYWORD: 4},  # alpha=
    "div.floor_rounding": {KEYWORD: 18},
    "div.trunc_rounding": {KEYWORD: 18},
    "mT": {LARGE: 2},
    "matmul": {LARGE: 3},
    "sub": {KEYWORD: 4},  # alpha=
}
"""At most so many samples of an entry, both dtypes together, by reason."""

NOT_IN_DATABASE: Final[Mapping[str, str]] = {
    "detach": "it computes nothing; its lack of a gradient is tested with the semantics",
}
"""Operations none of whose names is in the database, and where they are tested."""
