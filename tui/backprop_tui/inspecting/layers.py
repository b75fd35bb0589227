"""The layers of a node, and statistics of them, a piece at a time.

A layer is its value, its gradient or what it is sent, by us, by torch, or the difference.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from enum import StrEnum

import numpy as np

from backprop_engine.basics import notation
from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.summary import Summary
from backprop_engine.basics.values import Known, Shape, Value, dtype_of, same_elements, shape_of
from backprop_engine.trace import StepKind
from backprop_tui.oracles.report import Failed, Ready
from backprop_tui.view.view import View

PIECE = 1_000_000
"""Elements looked at in one go, so that ten million need little memory."""


class Quantity(StrEnum):
    """What of the node is looked at."""

    VALUE = "value"
    GRADIENT = "gradient"
    CONTRIBUTION = "contribution"


class Whose(StrEnum):
    """Who says so."""

    OURS = "ours"
    TORCH = "torch"
    DIFFERENCE = "difference"


@dataclass(frozen=True, eq=False)
class Layer:
    """One layer: an array or a number, or the reason why there is none."""

    shown: Value | None = None
    """What stands in the cells; of a difference, the minuend: ours."""
    minus: Value | None = None
    """What is taken from `shown`, cell by cell: torch's."""
    reason: str = ""

    @property
    def shape(self) -> Shape:
        """The shape; `()` for a number, and where there is none."""
        return () if self.shown is None else shape_of(self.shown)

    @property
    def dtype(self) -> str:
        """The dtype's name; empty where there is nothing."""
        return "" if self.shown is None else dtype_of(self.shown)

    def is_same(self, other: Layer) -> bool:
        """Whether both show the very same arrays."""
        return self.shown is other.shown and self.minus is other.minus

    def block(self, index: tuple[int | slice, ...]) -> np.ndarray:
        """The elements at `index`, as they stand in the cells."""
        block: np.ndarray = np.asarray(self.shown)[index]
        return block if self.minus is None else _difference(block, np.asarray(self.minus)[index])

    def pieces(self) -> Iterator[np.ndarray]:
        """The elements in the order of their indices, at most `PIECE` at a time, as floats.

        They are not to be kept: each may be written over the one before.
        """
        both = [np.asarray(each) for each in (self.shown, self.minus) if each is not None]
        flags = ["external_loop", "buffered", "zerosize_ok"]
        for parts in np.nditer(both, flags, order="C", buffersize=PIECE):  # type: ignore[call-overload]
            piece: np.ndarray = _difference(*parts) if isinstance(parts, tuple) else parts
            yield piece if piece.dtype.kind == "f" else piece.astype(np.float64)


def _difference(block: np.ndarray, other: np.ndarray) -> np.ndarray:
    with np.errstate(all="ignore"):
        # Two nans, or two infs of one sign, are no difference to anyone who compares.
        is_same = same_elements(block, other)
        difference: np.ndarray = np.where(is_same, block.dtype.type(0), block - other)
    return difference


def layer_of(view: View, node: int, quantity: Quantity, whose: Whose) -> Layer:
    """The layer of `node` as of the view's cursor."""
    ours = _ours(view, node, quantity)
    if whose is Whose.OURS or ours.shown is None:
        return ours
    theirs = _torchs(view, node, quantity)
    if whose is Whose.TORCH or theirs.shown is None:
        return theirs
    if theirs.shape != ours.shape:
        return Layer(reason=f"shapes differ: ours {ours.shape}, torch's {theirs.shape}")
    if ours.dtype in ("bool", "int64"):
        return Layer(np.asarray(ours.shown, float), np.asarray(theirs.shown, float))
    return Layer(ours.shown, theirs.shown)


def _ours(view: View, node: int, quantity: Quantity) -> Layer:
    session, trace = view.session, view.session.trace
    label = trace.label(node)
    match quantity:
        case Quantity.VALUE:
            if not trace.is_computed(node, session.cursor):
                return Layer(reason=f"{label} is not computed yet")
            return _layer(trace.nodes.value[node], label)
        case Quantity.GRADIENT:
            if not trace.nodes.requires_grad[node]:
                return Layer(reason=f"{label} needs no gradient")
            gradient = trace.gradient(node, session.cursor)
            if gradient is None:
                return Layer(reason=f"{label} has received no gradient yet")
            return _layer(gradient, f"the gradient of {label}")
        case Quantity.CONTRIBUTION:
            index = _receipt(view, node)
            if index is None:
                return Layer(reason=f"the step about to run sends nothing to {label}")
            if session.question is not None:
                return Layer(reason="what is sent is asked first")
            return _layer(trace.contributions[index], "what is sent")


def _layer(value: Known | None, what: str) -> Layer:
    if isinstance(value, Summary):
        return Layer(reason=f"{what} is not kept: {notation.full(value)}")
    return Layer(value)


def _receipt(view: View, node: int) -> int | None:
    """The step about to run, if `node` receives in it."""
    step = view.session.step
    if step is None or step.kind not in (StepKind.CONTRIBUTION, StepKind.SEED):
        return None
    receiver = step.operand if step.kind is StepKind.CONTRIBUTION else step.node
    return step.index if receiver == node else None


def _torchs(view: View, node: int, quantity: Quantity) -> Layer:
    if isinstance(view.oracle, Failed):
        return Layer(reason=view.oracle.reason)
    if not isinstance(view.oracle, Ready) or view.agreement is None:
        return Layer(reason="torch has not answered yet")
    report, cursor = view.oracle.report, view.session.cursor
    found: Value | None = None
    match quantity:
        case Quantity.VALUE:
            found = report.values.get(node)
        case Quantity.GRADIENT:
            found = view.agreement.torch_gradient(node, cursor)
        case Quantity.CONTRIBUTION:
            index = _receipt(view, node)
            if index is not None and index in report.joints:
                return Layer(reason="torch tells only the sum of this and other contributions")
            found = None if index is None else report.contributions.get(index)
    return Layer(found) if found is not None else Layer(reason="torch does not tell this one")


BINS = 24
_DIGITS = 5


@dataclass(frozen=True, eq=False)
class Statistics:
    """What an array is like. Minimum, maximum, mean, norm and histogram are of what is finite."""

    count: int
    minimum: float
    maximum: float
    mean: float
    norm: float
    zeros: int
    nans: int
    infinities: int
    histogram: np.ndarray
    """int64, `BINS` entries from `minimum` to `maximum`; none where nothing is finite."""

    @property
    def finite(self) -> int:
        """How many elements are neither nan nor inf."""
        return self.count - self.nans - self.infinities

    @property
    def largest(self) -> float:
        """The largest finite absolute value; 0 where there is none."""
        return max(abs(self.minimum), abs(self.maximum)) if self.finite else 0.0


def statistics(layer: Layer, is_cancelled: Callable[[], bool] = lambda: False) -> Statistics | None:
    """The statistics of a layer that shows something; None once `is_cancelled` says so.

    The sum behind the mean and the norm are scaled by the largest number, so that 1e308 does not
    overflow.
    """
    count = nans = infinities = zeros = 0
    low, high = math.inf, -math.inf
    for piece in layer.pieces():
        if is_cancelled():
            return None
        finite = piece[np.isfinite(piece)]
        count += piece.size
        nans += int(np.count_nonzero(np.isnan(piece)))
        infinities += int(np.count_nonzero(np.isinf(piece)))
        zeros += int(np.count_nonzero(piece == 0))
        if finite.size:
            low, high = min(low, float(finite.min())), max(high, float(finite.max()))
    if not count - nans - infinities:
        nothing = np.zeros(0, np.int64)
        none = math.nan
        return Statistics(count, none, none, none, none, zeros, nans, infinities, nothing)
    scale = max(abs(low), abs(high)) or 1.0
    total = squares = 0.0
    histogram = np.zeros(BINS, np.int64)
    for piece in layer.pieces():
        if is_cancelled():
            return None
        scaled = piece[np.isfinite(piece)].astype(np.float64, copy=False) / scale
        total += float(scaled.sum())
        squares += float(np.dot(scaled, scaled))
        edges = (low / scale, high / scale)
        if edges[0] < edges[1]:
            histogram += np.histogram(scaled, BINS, edges)[0]
        else:
            histogram[BINS // 2] += scaled.size
    mean = total / (count - nans - infinities) * scale
    norm = math.sqrt(squares) * scale
    return Statistics(count, low, high, mean, norm, zeros, nans, infinities, histogram)


def facts(known: Statistics) -> list[tuple[str, str]]:
    """Names and figures, in the order in which they are shown."""

    def figure(number: float) -> str:
        return "–" if math.isnan(number) else notation.number(number, _DIGITS)

    return [
        ("min", figure(known.minimum)),
        ("max", figure(known.maximum)),
        ("mean", figure(known.mean)),
        ("norm", figure(known.norm)),
        ("zeros", f"{known.zeros:,}"),
        ("nan", f"{known.nans:,}"),
        ("inf", f"{known.infinities:,}"),
    ]


def bars(histogram: np.ndarray) -> str:
    """A histogram as blocks; what is there at all has at least the lowest known."""
    most = int(histogram.max(initial=0))
    if not most:
        return ""
    levels = np.ceil(histogram * len(notation.BLOCKS) / most).astype(int)
    return "".join((" " + notation.BLOCKS)[level] for level in levels)
