"""What usually cures a nan or inf: by the operation that made it, and by what it was made of."""

from __future__ import annotations

from typing import Final, NamedTuple

from backprop_engine.basics.summary import Summary
from backprop_engine.basics.values import Known, shape_of
from backprop_engine.reading.autopsy.births import Birth, Element, Place, is_by_element
from backprop_engine.reading.autopsy.figures import at_element, where
from backprop_engine.reading.explain import expression
from backprop_engine.trace import NO_NODE, Trace


class Cure(NamedTuple):
    """One remedy, and lessons of the gallery about it."""

    text: str
    lessons: tuple[str, ...] = ()
    """Files of `scenarios/gallery/`, without their suffix: those that show it, then the cure."""

    @property
    def reading(self) -> str:
        """Where to read on; empty where no lesson is about it."""
        if not self.lessons:
            return ""
        names = " and ".join(self.lessons)
        return f"the gallery shows it: {names}"


_ROOT: Final = Cure(
    "a root is vertical at 0, and below it there is none: add a little inside, sqrt(x + 1e-12)",
    ("13-root-of-a-square", "35-zero-times-infinity"),
)
_LOG: Final = Cure("log of 0 is −inf: add a little inside, log(x + 1e-12), or clamp(x, min=1e-12)")
_LOG_OF_LESS: Final = Cure(
    "log of less than 0 is nan: find out why it is less, or clamp(x, min=1e-12) it",
    ("16-log-of-a-negative",),
)
_LOG_OF_SOFTMAX: Final = Cure(
    "log_softmax (or cross_entropy) in the place of log and softmax never takes the log of a 0",
    ("11-log-of-softmax", "12-log-softmax"),
)
_QUOTIENT: Final = Cure("the denominator is 0, or nearly so: add a little to it, or clamp it")
_POWER: Final = Cure(
    "a power below 1 is vertical at 0, and of less than 0 it is nan: clamp first, or add a little",
    ("35-zero-times-infinity",),
)
_EXP: Final = Cure(
    "exp overflows above 709, in float32 above 88, in float16 above 11: take the maximum off "
    "first, as logsumexp and log_softmax do",
    ("12-log-softmax",),
)
_NORM: Final = Cure(
    "a length of 0 has no slope: add a little inside, or leave out what is 0",
    ("29-norm-at-zero",),
)
_GROWN: Final = Cure(
    "numbers have outgrown their dtype: scale the input or the start values down",
    ("20-exploding", "30-quiet-overflow"),
)
_GRADIENT_GROWN: Final = Cure(
    "gradients have outgrown their dtype: clip them (clip_grad_norm_), or lower the learning rate",
    ("20-exploding",),
)
_CURES: Final = {
    **dict.fromkeys(("sqrt", "rsqrt"), _ROOT),
    **dict.fromkeys(("log", "log2", "log10", "log1p", "xlogy", "logit"), _LOG),
    **dict.fromkeys(("div", "truediv", "rdiv", "rtruediv", "true_divide", "reciprocal"), _QUOTIENT),
    **dict.fromkeys(("exp", "exp2", "expm1", "sinh", "cosh"), _EXP),
    **dict.fromkeys(("pow", "rpow", "float_power"), _POWER),
    **dict.fromkeys(("norm", "vector_norm", "linalg_vector_norm", "cdist"), _NORM),
    **dict.fromkeys(
        ("softmax", "log_softmax", "scaled_dot_product_attention"),
        Cure("a row that is masked everywhere has nothing to share out: leave one entry in it"),
    ),
    **dict.fromkeys(
        ("std", "var"), Cure("one element alone has no spread: correction=0, or add a little")
    ),
    "input": Cure("the data has it: look at where it is loaded"),
}
"""By operation, as the catalogue or torch calls it."""
_LOGS: Final = ("log", "log2", "log10")
_GROWING: Final = ("mul", "rmul", "pow", "square", "matmul", "mm", "bmm", "linear", "addmm", "sum",
                   "add", "radd", "prod", "dot", "conv2d", "mean")  # fmt: skip
_PICKING: Final = ("getitem", "index", "gather", "select", "index_select", "take", "masked_select")
_CHOOSING: Final = ("where", "masked_fill", "nan_to_num")
_MOST_LOOKED_AT: Final = 1_000


def cures(trace: Trace, first: Birth, nan: Birth | None) -> tuple[Cure, ...]:
    """What usually helps against the first birth, and the first nan that came of it."""
    found: list[Cure] = []
    for birth in (first, nan):
        shut = None if birth is None else shut_by(trace, birth)
        if birth is not None and shut is not None:
            found.append(_let_through(trace, birth, shut))
    by_operation = _by_operation(trace, first)
    if by_operation is None and nan is not None:
        by_operation = _by_operation(trace, nan)
    return tuple(found if by_operation is None else [*found, by_operation])


def _by_operation(trace: Trace, birth: Birth) -> Cure | None:
    name = trace.nodes.operation_name(birth.node).strip("_")
    if birth.place is Place.SUM:
        return _GRADIENT_GROWN
    if not name:
        return _CURES["input"] if birth.node in trace.input_nodes else None
    if name in _LOGS:
        return _of_log(trace, birth)
    if name in _GROWING and _has_outgrown(trace, birth):
        return _GROWN if birth.place is Place.FORWARD else _GRADIENT_GROWN
    return _CURES.get(name)


def _of_log(trace: Trace, birth: Birth) -> Cure:
    node = trace.nodes.operands[birth.node][0]
    while trace.nodes.operation_name(node).strip("_") in _PICKING:
        node = trace.nodes.operands[node][0]
    if trace.nodes.operation_name(node) == "softmax":
        return _LOG_OF_SOFTMAX
    return _LOG_OF_LESS if birth.is_nan and birth.place is Place.FORWARD else _LOG


def _has_outgrown(trace: Trace, birth: Birth) -> bool:
    """Whether an inf is born of large numbers: none is 0, of which a slope could be infinite."""
    if birth.is_nan:
        return False
    if trace.nodes.operation_name(birth.node).strip("_") not in ("pow", "rpow"):
        return True
    operands = trace.nodes.operands[birth.node]
    base = trace.nodes.value[operands[0]]
    return not isinstance(base, Summary) and _element(base, birth.element) not in (0.0, None)


# What was to be shut off


def shut_by(trace: Trace, birth: Birth) -> int | None:
    """The node that sent 0 at the element where a contribution is nan: 0 · ∞. None for no such.

    It has itself received something else there: it meant to shut off what lies below.
    """
    if birth.place is not Place.CONTRIBUTION or not birth.is_nan or birth.step is None:
        return None
    pending, seen = [birth.node], {birth.node}
    while pending and len(seen) < _MOST_LOOKED_AT:
        node = pending.pop()
        if _upstream(trace, node, birth) != 0:
            continue
        for consumer in trace.consumers(node):
            if consumer in seen or not is_by_element(trace, consumer):
                continue
            above = _upstream(trace, consumer, birth)
            if above is not None and above != 0:
                return consumer
            seen.add(consumer)
            pending.append(consumer)
    return None


def _upstream(trace: Trace, node: int, birth: Birth) -> float | None:
    """What came to a node at the element of the birth; None where that cannot be told."""
    if birth.step is None:
        return None
    return _element(trace.gradient(node, birth.step), birth.element)


def _element(value: Known | None, element: Element) -> float | None:
    if value is None or isinstance(value, Summary) or len(shape_of(value)) != len(element):
        return None
    inside = all(at < size for at, size in zip(element, shape_of(value), strict=True))
    return float(at_element(value, element)) if inside else None


def _let_through(trace: Trace, birth: Birth, shut: int) -> Cure:
    label, name = trace.label(shut), trace.nodes.operation_name(shut).strip("_")
    below = trace.label(birth.node)
    receiver = NO_NODE if birth.step is None else int(trace.receivers[birth.step])
    safe = (
        f"give {below} a safe {trace.label(receiver)} as well, by a where before it (double where)"
    )
    at = where(birth.element)
    if name in _CHOOSING:
        text = (
            f"a `{name}` lets the nan through: {label} = {expression(trace, shut)} shuts {below} "
            f"off with a gradient of 0{at}, and 0 · ∞ is nan: {safe}"
        )
    else:
        text = f"{label} = {expression(trace, shut)} sends 0{at}, and 0 · ∞ is nan: {safe}"
    return Cure(text, ("14-where", "15-double-where"))
