"""The random numbers that torch draws on a CPU, bit for bit, without torch; and who draws them.

Torch's generator is the Mersenne Twister mt19937 (Matsumoto and Nishimura 1998), seeded with the
lower 32 bits of the seed. What its kernels make of the bits is written down here from torch's
sources (ATen/core/DistributionsHelper.h, ATen/native/cpu/DistributionTemplates.h): normal numbers
by Box and Muller (1958), fewer than sixteen one after the other in float64, sixteen and more in
blocks, and those of float32 by the polynomials of Cephes in avx_mathfun.h. On a processor without
AVX2 torch takes the logarithm and the sine from the system, and a few last digits differ.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import Final

import numpy as np

from backprop_engine.basics.source import ProblemError
from backprop_engine.basics.values import Dtype
from backprop_engine.grammar import syntax
from backprop_engine.grammar.syntax import Call, Expression
from backprop_engine.program.python_numbers import Known, literal

DEFAULT_SEED: Final = 67280421310721
"""The seed of a `torch.Generator()` that is given none."""
_BLOCK: Final = 16
"""Normal numbers are made by so many, from so many uniform ones."""
_WIDE: Final = 2**28
"""Whole numbers from so large a range on are made of 64 bits."""
_BITS: Final = {"float64": 53, "float32": 24}

_LOGARITHM: Final = (
    7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1,
    -1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1,
)  # fmt: skip
_LN2: Final = (-2.12194440e-4, 0.693359375)
"""Its small and its large part."""
_COSINE: Final = (2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2)
_SINE: Final = (-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1)
_QUARTER_PI: Final = (-0.78515625, -2.4187564849853515625e-4, -3.77489497744594108e-8)
"""−π/4 in three parts."""


class Stream:
    """The random numbers that follow from one seed; numpy.random is imported at the first draw."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._spare: float | None = None
        """The second number of a pair of normal ones, while it is not asked for."""

    @cached_property
    def _twister(self) -> np.random.MT19937:
        twister = np.random.MT19937()
        twister._legacy_seeding(self.seed % 2**32)
        return twister

    def _words(self, count: int) -> np.ndarray:
        """The next words of 32 bits, as uint64."""
        return self._twister.random_raw(count).astype(np.uint64)

    def _double_words(self, count: int) -> np.ndarray:
        words = self._words(2 * count)
        joined: np.ndarray = (words[0::2] << np.uint64(32)) | words[1::2]
        return joined

    def uniform(self, count: int, dtype: Dtype) -> np.ndarray:
        """Numbers from 0 (included) to 1 (excluded), shape (count,)."""
        words = self._double_words(count) if dtype == "float64" else self._words(count)
        bits = _BITS[dtype]
        whole = (words & np.uint64(2**bits - 1)).astype(dtype)
        numbers: np.ndarray = np.ldexp(whole, -bits)
        return numbers

    def normal(self, count: int, dtype: Dtype) -> np.ndarray:
        """Standard normal numbers, shape (count,)."""
        if count < _BLOCK:
            return np.array([self._one_normal() for _ in range(count)], float).astype(dtype)
        drawn = self.uniform(count, dtype)
        whole = count // _BLOCK * _BLOCK
        drawn[:whole] = _normal_blocks(drawn[:whole])
        if whole < count:  # the last sixteen are drawn anew
            drawn[-_BLOCK:] = _normal_blocks(self.uniform(_BLOCK, dtype))
        return drawn

    def _one_normal(self) -> float:
        if self._spare is not None:
            number, self._spare = self._spare, None
            return number
        turn, distance = self.uniform(2, "float64").tolist()
        radius = math.sqrt(-2.0 * math.log1p(-distance))
        angle = 2.0 * math.pi * turn
        self._spare = radius * math.sin(angle)
        return radius * math.cos(angle)

    def integers(self, low: int, high: int, count: int) -> np.ndarray:
        """Whole numbers from `low` to `high` (excluded), int64, shape (count,)."""
        size = high - low
        words = self._double_words(count) if size >= _WIDE else self._words(count)
        return (words % np.uint64(size)).astype(np.int64) + low

    def permutation(self, count: int) -> np.ndarray:
        """The numbers from 0 to `count` - 1 in some order, int64."""
        order = list(range(count))
        for at, word in enumerate(self._words(max(count - 1, 0)).tolist()):
            other = at + word % (count - at)
            order[at], order[other] = order[other], order[at]
        return np.array(order, np.int64)


def _normal_blocks(uniform: np.ndarray) -> np.ndarray:
    """Of each block of uniform numbers, shape (16·n,), as many normal ones (Box and Muller)."""
    blocks = uniform.reshape(-1, 2, _BLOCK // 2)
    distance, turn = 1 - blocks[:, 0], blocks[:, 1]
    if uniform.dtype == np.float32:
        radius = np.sqrt(-2 * _log(distance))
        sine, cosine = _sine_and_cosine(np.float32(2 * math.pi) * turn)
    else:  # by the system's library, as torch; numpy's own may differ in the last digit
        angle = (2 * math.pi * turn).ravel().tolist()
        logarithm = np.array([math.log(number) for number in distance.ravel().tolist()])
        radius = np.sqrt(-2 * logarithm).reshape(turn.shape)
        sine = np.array([math.sin(number) for number in angle]).reshape(turn.shape)
        cosine = np.array([math.cos(number) for number in angle]).reshape(turn.shape)
    return np.stack([radius * cosine, radius * sine], axis=1).reshape(-1)


def _fused(a: np.ndarray, b: np.ndarray | float, c: np.ndarray | float) -> np.ndarray:
    """a·b + c in float32, rounded once: the product of two has room in float64."""
    wide = a.astype(np.float64) * np.asarray(b, np.float32).astype(np.float64)
    return (wide + np.asarray(c, np.float32)).astype(np.float32)


def _polynomial(x: np.ndarray, coefficients: tuple[float, ...]) -> np.ndarray:
    total = np.full_like(x, coefficients[0])
    for coefficient in coefficients[1:]:
        total = _fused(total, x, coefficient)
    return total


def _log(x: np.ndarray) -> np.ndarray:
    """The logarithm of positive float32 (`log256_ps`)."""
    bits = x.view(np.int32)
    exponent = ((bits >> 23) - 126).astype(np.float32)
    mantissa = ((bits & 0x7FFFFF) | 0x3F000000).view(np.float32)  # from 0.5 to 1
    is_small = mantissa < np.float32(math.sqrt(0.5))
    exponent -= is_small
    mantissa = np.where(is_small, mantissa - 1 + mantissa, mantissa - 1)
    square = mantissa * mantissa
    y = _polynomial(mantissa, _LOGARITHM) * mantissa
    y = _fused(y, square, exponent * np.float32(_LN2[0]))
    y = _fused(-square, 0.5, y)
    return _fused(exponent, _LN2[1], mantissa + y)


def _sine_and_cosine(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both of float32 from 0 to 2π (`sincos256_ps`)."""
    octant = ((x * np.float32(4 / math.pi)).astype(np.int32) + 1) & ~1
    rest = x
    for part in _QUARTER_PI:
        rest = _fused(octant.astype(np.float32), part, rest)
    square = rest * rest
    cosine = _polynomial(square, _COSINE) * square
    cosine = _fused(cosine, square, -(square * np.float32(0.5))) + 1
    sine = _fused(_polynomial(square, _SINE) * square, rest, rest)
    is_swapped = (octant & 2) != 0
    sine, cosine = np.where(is_swapped, cosine, sine), np.where(is_swapped, sine, cosine)
    is_below, is_left = (octant & 4) != 0, ((octant - 2) & 4) == 0
    return np.where(is_below, -sine, sine), np.where(is_left, -cosine, cosine)


_UNSEEDED: Final = (
    "Random numbers: torch draws others in every run, as no `torch.manual_seed` comes before. "
    "Here they are those of the seed 0."
)
_WIDER: Final = (
    "Random numbers are those that torch draws in float64. In float32, its default, it draws "
    "others: a program in a file `X.py` has these."
)
_DROPPED: Final = "`dropout` drops other elements here than torch does."


class Drawing:
    """The generators of a program, while its text is read; `known` tells its numbers."""

    def __init__(self, known: Known, *, as_torch: bool) -> None:
        """`as_torch` is whether torch itself would draw in the same dtype."""
        self._known = known
        self._as_torch = as_torch
        self._default: Stream | None = None
        """The generator that `torch.manual_seed` seeds."""
        self._unseeded = Stream(0)
        self._named: dict[str, Stream] = {}
        self._notes: dict[str, None] = {}

    @property
    def note(self) -> str:
        """What is to be told of numbers that torch would not draw."""
        return " ".join(self._notes)

    def seed(self, call: Call) -> None:
        """`torch.manual_seed(1)`, or `g.manual_seed(1)`. Raises ProblemError for no seed."""
        stream = Stream(self._seed(call))
        if isinstance(call.receiver, syntax.Name):
            self._named[call.receiver.name] = stream
        else:
            self._default = stream

    def is_generator(self, expression: Expression) -> bool:
        """Whether it is the name of one."""
        return isinstance(expression, syntax.Name) and expression.name in self._named

    def add(self, name: str, expression: Expression) -> bool:
        """Take in `g = torch.Generator()`, maybe with its seed; False for all else."""
        match expression:
            case Call(function="Generator", prefix="torch", arguments=(), keywords=()):
                self._named[name] = Stream(DEFAULT_SEED)
            case Call(function="manual_seed", receiver=Call(function="Generator")):
                self._named[name] = Stream(self._seed(expression))
            case _:
                return False
        return True

    def stream(self, call: Call) -> Stream:
        """What a call draws from. Raises ProblemError for a `generator` that is none."""
        given = dict(call.keywords).get("generator")
        if given is None:
            return self._unseeded if self._default is None else self._default
        if isinstance(given, syntax.Name) and given.name in self._named:
            return self._named[given.name]
        raise ProblemError("this is no generator", given.span, "`g = torch.Generator()`")

    def drawn(self, call: Call, dtype: str) -> None:
        """Note what is to be told of the numbers, of `dtype`, that a call has drawn."""
        if self.stream(call) is self._unseeded:
            self._notes[_UNSEEDED] = None
        elif not self._as_torch and dtype == "float64":
            self._notes[_WIDER] = None

    def look_at(self, call: Call) -> None:
        """Note a dropout that may be at work."""
        training = dict(call.keywords).get("training")
        is_off = isinstance(training, syntax.Literal) and not training.value
        if self._as_torch and call.function in ("dropout", "Dropout") and not is_off:
            self._notes[_DROPPED] = None

    def _seed(self, call: Call) -> int:
        if len(call.arguments) == 1 and not call.keywords:
            seed = literal(call.arguments[0], self._known)
            if isinstance(seed, int) and not isinstance(seed, bool):
                return seed
        raise ProblemError("this is not a seed", call.span, "`torch.manual_seed(0)`")
