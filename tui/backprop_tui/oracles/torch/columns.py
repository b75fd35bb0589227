"""Values by number: a number takes eight bytes, on its way through the pipe and where it stays.

As objects of Python's, the answers about a million numbers would take a gigabyte.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, Self

import numpy as np

from backprop_engine.basics.values import Value

FLOAT, FLOAT32, WHOLE, TRUTH, OTHER = range(5)
"""What a value is: a number of one of four kinds, or an array and the like, kept as an object."""

_KINDS: Final[Mapping[type, int]] = {
    float: FLOAT, np.float64: FLOAT, np.float32: FLOAT32,
    int: WHOLE, np.int64: WHOLE, bool: TRUTH, np.bool_: TRUTH,
}  # fmt: skip
_AS: Final = {FLOAT32: np.float32, WHOLE: int, TRUTH: bool}
_LARGEST_WHOLE: Final = 2**53
"""Larger whole numbers are not all floats."""


def of_dtype(told: Any, dtype: Any) -> np.ndarray:
    """An array with one axis, as it has come through the pipe; ValueError if it is none."""
    if not (isinstance(told, np.ndarray) and told.dtype == dtype and told.ndim == 1):
        raise ValueError(f"that is no array of {np.dtype(dtype)}")
    return told


class Entries:
    """Values with their numbers in any order, as arrays with one entry a value; frozen."""

    def __init__(
        self, keys: np.ndarray, kinds: np.ndarray, numbers: np.ndarray, others: Mapping[int, Any]
    ) -> None:
        """`keys` int32, `kinds` uint8, `numbers` float64; `others` by key, for the kind OTHER."""
        self.keys, self.kinds, self.numbers, self.others = keys, kinds, numbers, others

    def encoded(self) -> dict[str, Any]:
        """Itself for the pipe."""
        others = list(self.others.items())
        return {"keys": self.keys, "kinds": self.kinds, "numbers": self.numbers, "others": others}

    @classmethod
    def decoded(cls, encoded: Mapping[str, Any]) -> Self:
        """The inverse of `encoded`; ValueError, TypeError or KeyError if it is none."""
        keys = of_dtype(encoded["keys"], np.int32)
        kinds = of_dtype(encoded["kinds"], np.uint8)
        numbers = of_dtype(encoded["numbers"], np.float64)
        others = {int(key): value for key, value in encoded["others"]}
        if not len(keys) == len(kinds) == len(numbers):
            raise ValueError("keys, kinds and numbers differ in length")
        if not set(keys[kinds >= OTHER].tolist()) <= set(others):
            raise ValueError("a value is missing")
        if not all(isinstance(value, int | float | np.ndarray) for value in others.values()):
            raise ValueError("a value is no number and no array")
        return cls(keys, kinds, numbers, others)

    @classmethod
    def joined(cls, parts: Sequence[Entries]) -> Self:
        """The entries of all parts, whose keys differ."""
        others: dict[int, Any] = {}
        for part in parts:
            others |= part.others
        return cls(
            np.concatenate([np.zeros(0, np.int32), *(part.keys for part in parts)]),
            np.concatenate([np.zeros(0, np.uint8), *(part.kinds for part in parts)]),
            np.concatenate([np.zeros(0), *(part.numbers for part in parts)]),
            others,
        )

    def at(self, places: np.ndarray, keys: np.ndarray) -> Entries:
        """The entries at these places, with other keys."""
        kinds = self.kinds[places]
        others = {
            int(key): self.others[int(old)]
            for key, old, kind in zip(keys, self.keys[places], kinds, strict=True)
            if kind == OTHER
        } if self.others else {}  # fmt: skip
        return Entries(keys.astype(np.int32), kinds, self.numbers[places], others)


class Column(Mapping[int, Value]):
    """Values by number, ascending, each looked up when it is asked for."""

    def __init__(self, entries: Entries) -> None:
        order = np.argsort(entries.keys, kind="stable")
        keys = entries.keys[order]
        is_dense = not len(keys) or (keys[0] == 0 and keys[-1] == len(keys) - 1)
        self._keys: Sequence[int] = range(len(keys)) if is_dense else array("i", keys.tobytes())
        self._kinds = entries.kinds[order].tobytes()
        # Of Python's arrays, whose items are Python's numbers and come three times as fast.
        self._numbers = array("d", entries.numbers[order].tobytes())
        self._others = entries.others

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[int]:
        return iter(self._keys)

    def __getitem__(self, key: int) -> Value:
        value: Value | None = self.get(key)
        if value is None:
            raise KeyError(key)
        return value

    def __contains__(self, key: object) -> bool:
        return isinstance(key, int) and self.get(key) is not None

    def get(self, key: int, default: Any = None) -> Any:
        """The value at `key`; `default` where there is none."""
        keys = self._keys
        if type(keys) is range:
            at = key
            if not 0 <= at < len(keys):
                return default
        else:
            at = bisect_left(keys, key)
            if at == len(keys) or keys[at] != key:
                return default
        kind = self._kinds[at]
        if kind == OTHER:
            return self._others[key]
        number = self._numbers[at]
        return number if kind == FLOAT else _AS[kind](number)


class Gathering:
    """Entries as they come."""

    def __init__(self) -> None:
        self._keys = array("i")
        self._kinds = bytearray()
        self._numbers = array("d")
        self._others: dict[int, Any] = {}

    def __len__(self) -> int:
        return len(self._keys)

    def add(self, key: int, value: Any) -> None:
        """Append a value: a number of Python's or numpy's, or an array."""
        kind = _KINDS.get(type(value), OTHER)
        if kind == WHOLE and abs(value) > _LARGEST_WHOLE:
            kind = OTHER
        if kind == OTHER:
            self._others[key] = value
        self._keys.append(key)
        self._kinds.append(kind)
        self._numbers.append(0.0 if kind == OTHER else value)

    def entries(self) -> Entries:
        """Those so far."""
        return Entries(
            np.array(self._keys, np.int32),
            np.array(self._kinds, np.uint8),
            np.array(self._numbers, np.float64),
            self._others,
        )


class Names(Mapping[int, str]):
    """Few names by number from 0 on, many times over: each once, and which of them it is."""

    def __init__(self, names: Sequence[str], codes: array[int]) -> None:
        self._names, self._codes = names, codes

    @classmethod
    def of(cls, names: Iterable[str]) -> Self:
        """These names, numbered."""
        known: dict[str, int] = {}
        codes = array("H", (known.setdefault(name, len(known)) for name in names))
        return cls(list(known), codes)

    def encoded(self) -> dict[str, Any]:
        """Itself for the pipe."""
        return {"names": self._names, "codes": self._codes}

    @classmethod
    def decoded(cls, encoded: Mapping[str, Any]) -> Self:
        """The inverse of `encoded`; ValueError, TypeError or KeyError if it is none."""
        names, codes = encoded["names"], of_dtype(encoded["codes"], np.uint16)
        if len(codes) and codes.max() >= len(names):
            raise ValueError("a name is missing")
        return cls(names, array("H", codes.tobytes()))

    def __len__(self) -> int:
        return len(self._codes)

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self._codes)))

    def __getitem__(self, key: int) -> str:
        if not 0 <= key < len(self._codes):
            raise KeyError(key)
        return self._names[self._codes[key]]
