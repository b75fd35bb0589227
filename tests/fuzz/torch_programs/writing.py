"""Whole programs, each from a seed of its own."""

from __future__ import annotations

from random import Random
from typing import Final

from tests.fuzz.torch_programs import acting, computing
from tests.fuzz.torch_programs.drafting import EXTREME, PLAIN, TIED, Draft, Style, Unfit, quietly
from tests.fuzz.torch_programs.filling import fill

_GROUPS: Final = (
    (14, computing.ARITHMETIC),
    (14, computing.ELEMENTWISE),
    (8, computing.MASKS),
    (12, computing.REDUCTIONS),
    (7, computing.PRODUCTS),
    (5, computing.LOSSES),
    (14, computing.SHAPES),
    (2, computing.IMAGES),
    (6, computing.WHOLE),
    (8, acting.IN_PLACE),
    (9, acting.FLOW),
    (2, acting.LEAVES),
    (4, acting.PASSES),
)
"""How often a statement is of which kind."""
_IMPORTS: Final = "import torch\nimport torch.nn.functional as F\nfrom torch import nn"
_SHAPES: Final = (
    (), (), (2,), (3,), (3,), (4,), (1,), (2, 2), (2, 3), (3, 2), (3, 3), (1, 3), (3, 1), (2, 1, 3),
    (2, 2, 2), (2, 3, 2), (1, 1, 2, 3), (4, 1),
)  # fmt: skip
_MAY_FAIL: Final = 0.04
"""How often a statement that torch refuses ends the program."""


def write(seed: int) -> str:
    """A program; the same for the same seed."""
    random = Random(seed)
    draft = Draft(random, _style(random))
    with quietly():
        draft.run(_IMPORTS)
        if draft.style.says_dtype == "once":
            draft.run(f"torch.set_default_dtype(torch.{draft.style.dtype})")
        _write_leaves(draft)
        for _ in range(random.choice([1, 2, 3, 4, 5, 6, 8, 12])):
            groups, weights = [one for _, one in _GROUPS], [weight for weight, _ in _GROUPS]
            (templates,) = random.choices(groups, weights)
            _add(draft, templates)
        _add(draft, acting.ENDS)
        if random.random() < 0.15:
            _add(draft, acting.IN_PLACE + acting.PASSES)
            _add(draft, acting.ENDS)
        if ".backward(" not in draft.text and not draft.is_over:
            draft.run("x.sum().backward()")  # without one, the last name's is meant here
    return draft.text


def _style(random: Random) -> Style:
    numbers = random.choice([PLAIN, PLAIN, PLAIN, PLAIN, TIED, TIED, EXTREME])
    dtypes = ("float32", "float32", "float64")
    dtype, said = random.choice(dtypes), random.choice(["once", "always"])
    if dtype == "float32" and random.random() < 0.7:
        said = "never"
    return Style(dtype, said, numbers)


def _write_leaves(draft: Draft) -> None:
    """The first tensors; one of them at least requires grad."""
    random = draft.random
    for at, name in enumerate("xyz"[: random.choice([1, 2, 2, 3])]):
        asks = ", requires_grad=True" if at == 0 or random.random() < 0.6 else ""
        draft.run(f"{name} = {draft.tensor(random.choice(_SHAPES), asks=asks)}")


def _add(draft: Draft, templates: tuple[str, ...]) -> None:
    """One more statement of a kind, if one is found that torch runs."""
    for _ in range(8):
        if draft.is_over:
            return
        try:
            statement = fill(draft, draft.random.choice(templates))
        except Unfit:
            continue
        if draft.run(statement, may_fail=_MAY_FAIL):
            return
