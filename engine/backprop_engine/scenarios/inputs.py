"""The section `inputs` of a scenario file: what the leaves are called and hold."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from backprop_engine.basics.source import ProblemError, Span, no_float
from backprop_engine.basics.suggestions import listed
from backprop_engine.basics.values import Dtype, Value, settle
from backprop_engine.program.scenario import Input
from backprop_engine.scenarios.generators import GENERATORS
from backprop_engine.scenarios.yaml_arrays import no_truth_value, read_array, read_value, written
from backprop_engine.scenarios.yaml_document import Node, Scalar, Table

_FORMS: Final = ("value", *GENERATORS)
_COMMON_OPTIONS: Final = ("requires_grad", "dtype")


def read_input(name: str, span: Span, node: Node, dtype: Dtype) -> Input:
    """One entry of `inputs`: a number, a nested list, or a mapping that says more.

    Raises ProblemError at whatever is wrong with it.
    """
    if not isinstance(node, Table):
        return Input(name, read_value(node, dtype), True, span)
    kind = _read_kind(node, dtype)
    value = _read_specified(node, kind, dtype)
    requires_grad = _read_flag(node.get("requires_grad"), kind.startswith("float"))
    if requires_grad and not kind.startswith("float"):
        flag = node.get("requires_grad") or node
        raise no_float(flag.span, f"`{name}` is {kind}: leave `requires_grad` out")
    return Input(name, value, requires_grad, span)


def _read_flag(node: Node | None, default: bool) -> bool:
    if node is None:
        return default
    if not isinstance(node, Scalar) or node.boolean is None:
        raise no_truth_value(node)
    return node.boolean


def _read_kind(spec: Table, dtype: Dtype) -> str:
    """The dtype of an input given as a mapping: the scenario's, `int64` or `bool`."""
    node = spec.get("dtype")
    if node is None:
        return dtype
    if not isinstance(node, Scalar) or node.text not in ("int64", "bool", dtype):
        raise ProblemError(
            f"an input cannot have the dtype {written(node)}",
            node.span,
            "`int64` or `bool`",
            "the floats have the `dtype` of the scenario",
        )
    return node.text


def _read_specified(spec: Table, kind: str, dtype: Dtype) -> Value:
    """The value of an input given as a mapping."""
    form, node = _chosen_form(spec)
    generator = GENERATORS.get(form)
    own = generator.options if generator else ()
    options = (*own, *_COMMON_OPTIONS)
    spec.check(f" beside `{form}`", options, form)
    if generator is None:
        return settle(read_array(node, kind), dtype)
    array = generator.make(node, *(spec.get(option) for option in own))
    return settle(_cast(array, kind, node), dtype)


def _chosen_form(spec: Table) -> tuple[str, Node]:
    """The one key of a mapping that gives the value, and what stands there."""
    forms = [(key, node) for key, node in spec.entries if key.text in _FORMS]
    if not forms:
        options = {*_COMMON_OPTIONS, *(name for g in GENERATORS.values() for name in g.options)}
        spec.check(" in an input", _FORMS, *options)
        raise ProblemError("this input has no value", spec.span, listed(_FORMS))
    (first, node), *others = forms
    if others:
        second = others[0][0]
        raise ProblemError(
            f"`{first.text}` and `{second.text}` both give the value", second.span, "one of them"
        )
    return first.text, node


def _cast(array: Any, kind: str, node: Node) -> Any:
    """A generated array in another dtype, if that has its values (a float type rounds)."""
    with np.errstate(over="ignore", invalid="ignore"):
        converted = np.asarray(array).astype(kind)
    if not kind.startswith("float") and not np.array_equal(converted, array):
        raise ProblemError(f"these are not values of dtype {kind}", node.span)
    return converted
