"""Random programs of aliases, views, lists, changes in place and passes, each run by torch."""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch

HEAD = (
    "import torch",
    "import torch.nn.functional as F",
    "torch.set_default_dtype(torch.float64)",
    "x = torch.tensor([[0.5, -1.0, 2.0], [1.5, 0.25, -0.75]], requires_grad=True)",
    "w = torch.tensor([1.25, -0.5, 0.75], requires_grad=True)",
    "c = torch.tensor([[1.0, 2.0, -1.0], [0.5, -2.0, 3.0]])",
    "y = x * w",
)
LEAVES = ("x", "w")


@dataclass
class Program:
    """A program that grows by one statement that torch has run, or that torch refuses."""

    random: random.Random
    lines: list[str] = field(default_factory=list)
    names: dict[str, Any] = field(default_factory=dict)
    error: str = ""
    """Torch's first error; the program ends with it."""

    def run(self, line: str) -> None:
        self.lines.append(line)
        try:
            exec(line, self.names)
        except (RuntimeError, TypeError, IndexError, AttributeError) as error:
            self.error = str(error)

    @property
    def text(self) -> str:
        return "\n".join(self.lines) + "\n"

    def tensors(self, fits: Callable[[Any], bool] = lambda _: True) -> list[str]:
        return [
            name
            for name, one in self.names.items()
            if isinstance(one, torch.Tensor) and _is_whole(one) and fits(one)
        ]

    def tensor(self, fits: Callable[[Any], bool] = lambda _: True) -> str:
        found = self.tensors(fits)
        # What was made last is what the others are views of.
        weights = [1 + 2 * (name not in (*LEAVES, "c")) for name in found]
        return self.random.choices(found, weights)[0]

    def new(self) -> str:
        known = [name for name in "abdefghijkmnopqrstuvz" if name not in self.names]
        return self.random.choice(known or list("abdefgh"))

    def partner(self, name: str) -> str:
        """A value that a tensor of this name can be combined with, in its own shape."""
        shape = tuple(self.names[name].shape)

        def fits(one: Any) -> bool:
            try:
                return tuple(torch.broadcast_shapes(one.shape, shape)) == shape
            except RuntimeError:
                return False

        return self.random.choice([self.tensor(fits), "0.5", "2"])


def _is_whole(one: Any) -> bool:
    """Whether torch lets it be looked at: not so a view that its base's change has spoilt."""
    try:
        return one.grad_fn is not None or True
    except RuntimeError:
        return False


def _compute(program: Program) -> str:
    a = program.tensor()
    f = program.random.choice(["sin", "exp", "tanh", "abs", "relu", "sigmoid", "clone", "neg"])
    kinds = [
        f"{a} {program.random.choice('+-*')} {program.partner(a)}",
        f"{a}.{f}()",
        f"{a} ** 2",
        f"{a}.sum()",
        f"{a}.softmax(-1)" if program.names[a].ndim else f"{a} * 3",
    ]
    return f"{program.new()} = {program.random.choice(kinds)}"


def _alias(program: Program) -> str:
    return f"{program.new()} = {program.tensor()}"


def _view(program: Program) -> str:
    a = program.tensor(lambda one: one.ndim > 0)
    views = ["[0]", "[-1]", "[...]", "[1:]", ".view(-1)", ".reshape(-1)", ".flatten()", ".detach()"]
    views += [".unsqueeze(0)", ".squeeze()", ".contiguous()", ".expand(2, *{a}.shape)", ".clone()"]
    views += [".view_as({a})", ".narrow(0, 0, 1)", ".select(0, 0)", ".movedim(0, -1)", "[:1]"]
    if program.names[a].ndim == 2:
        views += [".T", ".t()", "[:, 1]", "[0, 1]", ".transpose(0, 1)", ".diagonal()", "[..., 0]"]
        views += [
            ".permute(1, 0)",
            ".mT",
            "[:, ::2]",
            ".T[0]",
            ".T.reshape(-1)",
            ".unfold(1, 2, 1)",
        ]
    view = program.random.choice(views).replace("{a}", a)
    return f"{program.new()} = {a}{view}"


def _place(program: Program) -> str:
    a = program.tensor(lambda one: one.ndim > 0)
    places = ["[0]", "[-1]", "[1:]", "[...]", "[[0]]", f"[{a} > 0]", f"[{a} > 0.5]"]
    if program.names[a].ndim == 2:
        places += [
            "[:, 0]",
            "[0, 0]",
            "[..., -1]",
            "[:, [0, 1]]",
            ".T[0]",
            "[1][0]",
            ".view(-1)[1]",
        ]
    return a + program.random.choice(places)


def _change(program: Program) -> str:
    a = program.tensor(lambda one: not one.is_leaf or not one.requires_grad)
    if program.random.random() < 0.05:
        a = program.tensor()
    b = program.partner(a)
    f = program.random.choice(["exp", "relu", "sigmoid", "sin", "zero", "abs", "tanh", "neg"])
    place = _place(program)
    kinds = [
        f"{a} {program.random.choice('+-*/')}= {b}",
        f"{a} {program.random.choice('+-*/')}= {b}",
        f"{a} **= 2",
        f"{a}.{program.random.choice(['add', 'sub', 'mul', 'div'])}_({b})",
        f"{a}.{f}_()",
        f"{a}.fill_({program.random.choice(['0.5', 'w[0]'])})",
        f"{a}.copy_({b if b in program.names else a})",
        f"{program.new()} = F.relu({a}, inplace=True)",
        f"{place} = {program.random.choice(['0.5', 'w[1]', '1'])}",
        f"{place} {program.random.choice('+-*')}= {program.random.choice(['2', 'w[2]'])}",
        f"{a}.masked_fill_({a} > 0, 0.25)",
        f"{a}.clamp_(min=-0.5)",
        f"{a} += {program.tensor()}",
        f"{a}.data += 0.5",
        f"{program.new()} = {a}.detach()",
    ]
    return program.random.choice(kinds)


def _list(program: Program) -> str:
    lists = [name for name, one in program.names.items() if isinstance(one, list)]
    if not lists or program.random.random() < 0.3:
        return f"{program.new()} = [{program.tensor()}, {program.tensor()}]"
    one = program.random.choice(lists)
    kinds = [
        f"{one}.append({program.tensor()})",
        f"{one} += [{program.tensor()}]",
        f"{program.new()} = {one}",
        f"{program.new()} = {one}[-1] * 2",
        f"{one} = {one} + [{program.tensor()}]",
        f"{program.new()} = {one}[0]",
        f"{one}[0] += 1",
        f"for r in {one}: r += 0.5",
    ]
    return program.random.choice(kinds)


def _many(program: Program) -> str:
    a = program.tensor(lambda one: one.ndim > 0 and len(one) == 2)
    first, second = program.random.sample("klmnpq", 2)
    kinds = [
        f"{first}, {second} = {a}",
        f"{first}, {second} = {a}.chunk(2)",
        f"{first}, {second} = {a}.split(1)",
        f"for r in {a}: {first} = r * 2",
    ]
    return program.random.choice(kinds)


def _no_grad(program: Program) -> str:
    inner = program.random.choice([_view, _compute, _change, _change])(program)
    return f"with torch.no_grad(): {inner}"


def _backward(program: Program) -> str:
    a = program.tensor(lambda one: one.requires_grad)
    retain = program.random.choice(["", "retain_graph=True"])
    return f"{a}.sum().backward({retain})"


def _final(program: Program) -> str:
    found = program.tensors(lambda one: one.requires_grad)
    some = program.random.sample(found, min(len(found), 3))
    return f"({' + '.join(f'({one} * {n + 1}).sum()' for n, one in enumerate(some))}).backward()"


MAKERS = (
    *(_compute,) * 4, *(_alias,) * 2, *(_view,) * 6, *(_change,) * 8, *(_list,) * 3,
    _many, _no_grad, _backward,
)  # fmt: skip


def program(seed: int) -> Program:
    """One program, up to its end or to torch's first error."""
    made = Program(random.Random(seed))
    before = torch.get_default_dtype()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for line in HEAD:
                made.run(line)
            for _ in range(made.random.randint(3, 10)):
                if not made.error:
                    made.run(made.random.choice(MAKERS)(made))
            if not made.error:
                made.run(_final(made))
    finally:
        torch.set_default_dtype(before)
    return made
