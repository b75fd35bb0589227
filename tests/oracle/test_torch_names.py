"""What torch has is known by name, so that it is never called unknown.

The list is written anew by `python tests/oracle/test_torch_names.py`, for another torch.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import torch

from backprop_engine.scenarios import torch_names

FILE = Path(torch_names.__file__).with_name("torch_names.txt")


def public(owner: object) -> list[str]:
    return [name for name in dir(owner) if not name.startswith("_")]


def functions(module: ModuleType) -> list[str]:
    """What can be called in a module and is neither a class nor another module."""
    return [
        name
        for name in public(module)
        if callable(getattr(module, name)) and not isinstance(getattr(module, name), type)
    ]


def classes(module: ModuleType) -> list[str]:
    return [name for name in public(module) if isinstance(getattr(module, name), type)]


def installed() -> dict[str, list[str]]:
    """Names by where torch has them."""
    return {
        "torch": functions(torch),
        "torch.nn.functional": functions(torch.nn.functional),
        "torch.linalg": functions(torch.linalg),
        "torch.special": functions(torch.special),
        "torch.fft": functions(torch.fft),
        "torch.Tensor": public(torch.Tensor),
        "torch.nn": [
            name for name in public(torch.nn) if isinstance(getattr(torch.nn, name), type)
        ],
    }


def written(names: dict[str, list[str]]) -> str:
    return "".join(f"[{place}]\n{' '.join(sorted(found))}\n" for place, found in names.items())


def test_the_list_has_exactly_the_names_of_the_torch_that_is_installed() -> None:
    assert FILE.read_text("utf-8") == written(installed())


if __name__ == "__main__":
    FILE.write_text(written(installed()), "utf-8")
