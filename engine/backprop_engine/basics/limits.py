"""How much is too much: every limit on what a scenario may ask for.

docs/limits.md repeats these numbers; `budget.py` keeps to those of arrays.
"""

from __future__ import annotations

import math
import os
from typing import Final

MAX_FILE: Final = 10_000_000
"""Bytes of a scenario file."""

PIPE_SECONDS: Final = 5.0
"""Seconds that a pipe or a device, given as a file, has to come to its end."""

MAX_YAML_NESTING: Final = 100
"""Lists and mappings inside one another; an array has far fewer dimensions."""

MAX_YAML_VALUES: Final = 10_000_000
"""Values of a YAML document after every alias is replaced by what it stands for."""

MAX_YAML_ENTRIES: Final = 1_000_000
"""Keys and values that are written in a YAML document."""

MAX_TOKENS: Final = 1_000_000
"""Words, numbers and signs of a program."""

MAX_FORMULA: Final = 100_000
"""Characters of a condition or of a watch."""

MAX_ELEMENTS: Final = 10_000_000
"""Elements of one array, and of what an operation lays out to compute it."""

MAX_PRODUCTS: Final = 10_000_000_000
"""Products of two numbers that one matrix product or convolution adds up."""

MAX_DIMENSIONS: Final = 32
"""Dimensions of an array that a scenario writes out or has generated."""

MAX_NESTING: Final = 64
"""How deep a literal may be nested: numpy's own limit on the axes of an array."""

MAX_EXPONENT: Final = 2_000
"""Exponents of Python's whole numbers, which have no bound: 9**9**9**9 would take forever."""

MAX_OPERANDS: Final = 10_000
"""Values that one operation takes, such as `stack`."""

MAX_POWER: Final = 10_000
"""Exponents of `matrix_power`: its derivative has a term for each factor."""

MAX_NODES: Final = 2_000_000
"""Nodes of one graph: what some 2 GB of memory hold."""

MAX_ITERATIONS: Final = 2_000_000
"""Of all loops of a scenario together; an item of a list that is given a name counts, too."""

MAX_SENT: Final = 500_000_000
"""Bytes of a recording that is given to torch: on the way there they take several times that."""

MEMORY_VARIABLE: Final = "BACKPROP_MEMORY_GB"
SECONDS_VARIABLE: Final = "BACKPROP_SECONDS"

DEFAULT_GIGABYTES: Final = 2.0
"""Gigabytes that the arrays of one recording may take."""

DEFAULT_SECONDS: Final = 120.0
"""Seconds that one recording may take."""

DIFFERENCE_SECONDS: Final = 60.0
"""Seconds that finite differences have for one trace; what is not judged by then is skipped."""


def setting(variable: str, default: float) -> float:
    """A limit that the environment may set. Raises ValueError where it is no positive number."""
    text = os.environ.get(variable, "").strip()
    if not text:
        return default
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not number > 0:
        raise ValueError(f"{variable} is {text!r}, and must be a number above 0")
    return number


def check_settings() -> None:
    """Raise ValueError where the environment sets a limit to something that is none."""
    setting(MEMORY_VARIABLE, DEFAULT_GIGABYTES)
    setting(SECONDS_VARIABLE, DEFAULT_SECONDS)
