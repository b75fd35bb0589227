"""What torch has under which name, so that a name of torch's is never called unknown.

`torch_names.txt` is generated from torch 2.13 by the test that compares the two.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Final

_SHORT: Final[Mapping[str, str]] = {
    "F": "torch.nn.functional",
    "nn.functional": "torch.nn.functional",
    "nn": "torch.nn",
    "Tensor": "torch.Tensor",
}
_FUNCTIONS: Final = (
    "torch",
    "torch.nn.functional",
    "torch.linalg",
    "torch.special",
    "torch.fft",
)


@cache
def _names() -> Mapping[str, frozenset[str]]:
    """Names by where torch has them."""
    text = files("backprop_engine.program").joinpath("torch_names.txt").read_text("utf-8")
    sections = (section.partition("]\n") for section in text.split("[")[1:])
    return {place: frozenset(names.split()) for place, _, names in sections}


def in_torch(prefix: str, name: str, *, is_method: bool) -> str | None:
    """Where torch has a function or a method: `torch.linalg.qr`; None where it has not."""
    named = _SHORT.get(prefix, prefix)
    places = ("torch.Tensor" if is_method else named, *_FUNCTIONS)
    found = next((place for place in places if name in _names().get(place, ())), None)
    return None if found is None else f"{found}.{name}"
