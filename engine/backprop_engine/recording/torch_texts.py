"""Torch's own texts of its derivatives, by the name of the autograd node."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Final

PATH: Final = Path(__file__).with_name("derivatives.json")
"""Made by `.github/derivatives.py` of what torch carries in its wheel; the licence stands in it."""


SOURCE: Final = "torch's derivatives.yaml"


@cache
def _texts() -> dict[str, list[tuple[str, str]]]:
    found: dict[str, list[tuple[str, str]]] = json.loads(PATH.read_text("utf-8"))["derivatives"]
    return found


def torch_text(grad_fn: str, position: int, tensors: int) -> str:
    """What `grad_fn` sends to its input `position`, one of `tensors`: `grad * self`.

    All its lines where it is not known which is meant, each with its input's name; empty where
    torch has written none.
    """
    lines = _texts().get(grad_fn, [])
    if len(lines) == tensors:
        lines = lines[position : position + 1]
    texts = {text for _, text in lines}
    return texts.pop() if len(texts) == 1 else "; ".join(f"{name}: {text}" for name, text in lines)
