"""A nudge: how far the output moves by gradient × nudge, and how far it does move."""

from __future__ import annotations

import math

import numpy as np

from backprop_engine.basics import notation
from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.values import Value, dtype_of, in_full, is_float, kept, size_of
from backprop_engine.trace import Pass, PassKind, Trace
from backprop_tui.session.session import Session
from backprop_tui.session.whatif.state import Nudge

_FRACTION = 2
"""A nudge is this many powers of ten smaller than the value."""
_LEAST, _MOST = -300, 300
_ROUNDING = 1e-14
_DIGITS, _MOST_DIGITS = 6, 12


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a nudge was to do by the gradient, and what it did."""

    nudged: str
    """`x + 0.01`"""
    output: str
    """The output's name; of an output that is an array, the sum that is differentiated."""
    before: float
    after: float
    slope: float | None
    """The gradient that the nudge is multiplied with; None where none arrives."""
    amount: float

    @property
    def predicted(self) -> float | None:
        """`before + slope · amount`"""
        return None if self.slope is None else self.before + self.slope * self.amount

    @property
    def off(self) -> float | None:
        """How far the truth is from the prediction."""
        return None if self.predicted is None else self.after - self.predicted


def why_not(session: Session) -> str:
    """Why the selected node cannot be nudged; empty where it can."""
    trace, node = session.trace, session.node
    label = trace.label(node)
    if not trace.is_leaf(node):
        return f"{label} is computed: select an input, and + and − nudge it"
    if not is_float(trace.nodes.value[node]):
        return (
            f"{label} is {dtype_of(trace.nodes.value[node])}: there is nothing between its values"
        )
    if not size_of(trace.nodes.value[node]):
        return f"{label} has no elements"
    return ""


def size(value: Value, index: tuple[int, ...] | None) -> float:
    """A hundredth of the value's power of ten: 0.01 for 2, and for 0."""
    chosen = value[index] if isinstance(value, np.ndarray) and index is not None else value
    magnitudes = np.abs(np.asarray(chosen, float).ravel())
    finite = magnitudes[np.isfinite(magnitudes)]
    largest = float(finite.max(initial=0.0))
    if not largest:
        return 10.0**-_FRACTION
    power = math.floor(math.log10(largest)) - _FRACTION
    return 10.0 ** max(min(power, _MOST), _LEAST)


def moved(value: Value, amount: float, index: tuple[int, ...] | None) -> Value:
    """`value` with `amount` added to the element at `index`, or to every element."""
    if not isinstance(value, np.ndarray):
        return type(value)(_tidy(float(value) + amount, amount))
    changed = value.copy()
    if index is None:
        changed += value.dtype.type(amount)
    else:
        changed[index] = _tidy(float(changed[index]) + amount, amount)
    return changed


def _tidy(value: float, amount: float) -> float:
    """Without the last bits that decimal steps leave: 2.01, not 2.0099999999999998."""
    if not math.isfinite(value):
        return value
    rounded = round(value, _FRACTION + max(0, -math.floor(math.log10(abs(amount)))))
    return rounded if abs(rounded - value) < 1e-6 * abs(amount) else value


def differentiated_pass(trace: Trace, cursor: int) -> Pass | None:
    """The backward pass that is shown, else the first; None where there is none."""
    shown = trace.shown_pass(cursor)
    if shown.kind is PassKind.BACKWARD:
        return shown
    return next((pass_ for pass_ in trace.passes if pass_.kind is PassKind.BACKWARD), None)


def predict(before: Trace, after: Trace, cursor: int, nudge: Nudge) -> Prediction | None:
    """The nudge between two traces of one graph; None where no backward pass ran.

    The output's change is that of Σ seed · output, which is what a backward pass differentiates.
    """
    pass_ = differentiated_pass(before, cursor)
    if pass_ is None or pass_.output is None:
        return None
    seed = np.asarray(before.totals[pass_.start], float)
    is_plain = seed.ndim == 0 and float(seed) == 1.0
    label = before.label(pass_.output)
    receipts = [step for step in before.receipts(nudge.node) if pass_.start <= step < pass_.stop]
    gradient = kept(before.totals[receipts[-1]]) if receipts else None
    slope = None if gradient is None else _chosen(gradient, nudge.index)
    name = before.label(nudge.node)
    if nudge.index is not None:
        name += f"[{', '.join(map(str, nudge.index))}]"
    elif isinstance(before.nodes.value[nudge.node], np.ndarray):
        name = f"every element of {name}"
    was, now = (in_full(trace.nodes.value[nudge.node]) for trace in (before, after))
    amount = _amount(was, now, nudge)
    sign = "+" if nudge.amount >= 0 else "−"
    with np.errstate(all="ignore"):
        return Prediction(
            nudged=f"{name} {sign} {notation.number(abs(nudge.amount))}",
            output=label if is_plain else f"Σ gradient·{label}",
            before=float(np.sum(seed * np.asarray(before.nodes.value[pass_.output], float))),
            after=float(np.sum(seed * np.asarray(after.nodes.value[pass_.output], float))),
            slope=slope,
            amount=amount,
        )


def _chosen(gradient: Value, index: tuple[int, ...] | None) -> float:
    if isinstance(gradient, np.ndarray) and index is not None:
        return float(gradient[index])
    return float(np.sum(np.asarray(gradient, float)))


def _amount(was: Value, now: Value, nudge: Nudge) -> float:
    """What was added in truth: floats do not hold every decimal."""
    if isinstance(was, np.ndarray) and nudge.index is None:
        return nudge.amount
    index = nudge.index or ()
    added = float(np.asarray(now, float)[index]) - float(np.asarray(was, float)[index])
    is_close = math.isfinite(added) and abs(added - nudge.amount) <= 1e-6 * abs(nudge.amount)
    return nudge.amount if is_close else added


def told(found: Prediction | None) -> str:
    """`x + 0.01 · y: 11 → 11.0701, predicted 11.07 (7 × 0.01), off by 0.0001`"""
    if found is None:
        return "nudged; no backward pass ran, so nothing is predicted"
    digits = _enough(found)
    before, after = (notation.number(number, digits) for number in (found.before, found.after))
    moved_text = f"{found.nudged} · {found.output}: {before} → {after}"
    if found.slope is None or found.predicted is None or found.off is None:
        return f"{moved_text}; no gradient arrives, no prediction"
    slope = notation.in_brackets(notation.number(found.slope, _DIGITS))
    amount = notation.in_brackets(notation.number(found.amount, _DIGITS))
    return (
        f"{moved_text}, predicted {notation.number(found.predicted, digits)} "
        f"({slope} × {amount}), {_off(found, found.off)}"
    )


def _off(found: Prediction, off: float) -> str:
    """How far off; what rounding alone explains is no error of the prediction."""
    if abs(off) <= _ROUNDING * max(abs(found.before), abs(found.after)):
        return "and so it is"
    return f"off by {notation.number(abs(off), 1)}"


def _enough(found: Prediction) -> int:
    """As many digits as it takes to see what is off, as far as doubles have them."""
    off, size_of = abs(found.off or 0.0), max(abs(found.before), abs(found.after))
    if not (math.isfinite(off) and math.isfinite(size_of)) or not off or not size_of:
        return _DIGITS
    return max(_DIGITS, min(math.ceil(math.log10(size_of / off)) + 2, _MOST_DIGITS))
