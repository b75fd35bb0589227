"""Attributes of operations, as JSON has them."""

from __future__ import annotations

from typing import Any


def encode_attribute(attribute: Any) -> Any:
    """An attribute of an operation: numbers, texts, None, tuples, slices, `...`, arrays."""
    if isinstance(attribute, tuple | list):
        kind = "tuple" if isinstance(attribute, tuple) else "list"
        return {kind: [encode_attribute(item) for item in attribute]}
    if isinstance(attribute, slice):
        parts = (attribute.start, attribute.stop, attribute.step)
        return {"slice": [encode_attribute(part) for part in parts]}
    if attribute is Ellipsis:
        return {"ellipsis": True}
    return attribute


def decode_attribute(encoded: Any) -> Any:
    """The inverse of `encode_attribute`."""
    if not isinstance(encoded, dict):
        return encoded
    if "ellipsis" in encoded:
        return Ellipsis
    if "slice" in encoded:
        return slice(*(decode_attribute(part) for part in encoded["slice"]))
    if "list" in encoded:
        return [decode_attribute(item) for item in encoded["list"]]
    return tuple(decode_attribute(item) for item in encoded["tuple"])
