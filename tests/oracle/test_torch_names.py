"""What torch has is known by name, so that it is never called unknown.

The list is written anew by `python tests/oracle/test_torch_names.py`, for another torch.
"""

from __future__ import annotations

from pathlib import Path
from textwrap import wrap
from types import ModuleType

import pytest
import torch

from backprop_engine.basics.source import ScenarioError, Source
from backprop_engine.catalogue import FUNCTIONS, PROPERTIES
from backprop_engine.program import torch_names
from backprop_engine.program.nn_modules import MODULES
from backprop_engine.program.unsupported import NEAREST
from backprop_engine.run.record import record
from backprop_engine.scenarios.loader import parse_snippet

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
    sections = [
        [f"[{place}]", *wrap(" ".join(sorted(found)), 99, break_on_hyphens=False)]
        for place, found in names.items()
    ]
    return "\n".join(line for lines in sections for line in lines) + "\n"


def test_the_list_has_exactly_the_names_of_the_torch_that_is_installed() -> None:
    assert FILE.read_text("utf-8") == written(installed())


def said_of(called: str) -> str:
    """What is said of a call; empty where it runs."""
    try:
        record(parse_snippet(Source("s.py", f"x = torch.ones(2, 2)\ny = {called}(x)\n")))
    except ScenarioError as error:
        return str(error)
    return ""


def test_what_torch_has_and_we_have_not_is_never_called_unknown() -> None:
    said = {
        called: said_of(called)
        for place, names in installed().items()
        for name in names
        for called in [f"x.{name}" if place == "torch.Tensor" else f"{place}.{name}"]
        if name not in FUNCTIONS and name not in PROPERTIES
    }

    assert [called for called, message in said.items() if "unknown" in message] == []
    missing = [message for message in said.values() if message.startswith("torch has")]
    assert len(missing) > 500
    assert all("; " in message for message in missing)


def test_what_is_told_to_be_nearest_is_there_and_what_it_stands_in_for_is_not() -> None:
    torchs = {name for names in installed().values() for name in names}

    assert [one for one in NEAREST if one in {*FUNCTIONS, *PROPERTIES, *MODULES}] == []
    assert [one for one in NEAREST if one not in torchs] == []
    assert [one for one in NEAREST.values() if one not in FUNCTIONS] == []
    assert [name for name, (function, _) in MODULES.items() if function not in FUNCTIONS] == []


def test_a_module_that_is_not_there_is_told_the_nearest_function_too() -> None:
    program = "x = torch.ones(2)\nloss = nn.TripletMarginLoss()\ny = loss(x, x, x)\n"
    with pytest.raises(ScenarioError) as refusal:
        record(parse_snippet(Source("s.py", program)))

    assert str(refusal.value) == (
        "torch has `torch.nn.TripletMarginLoss`, and backprop-tui does not; "
        "the nearest function here is `pairwise_distance`"
    )


if __name__ == "__main__":
    FILE.write_text(written(installed()), "utf-8")
