"""Statements as templates: `{v} = {x}.sum({d})`, where every place is filled with what fits.

The first tensor named is the *subject*; what follows is chosen for its shape. The places are the
methods of `Filling`.
"""

from __future__ import annotations

import re

import torch
from tests.fuzz.torch_programs.drafting import Draft, Unfit, is_computed

_PLACE = re.compile(r"\{(\w+)\}")


def fill(draft: Draft, template: str) -> str:
    """The statement; raises Unfit where nothing fits a place."""
    filling = Filling(draft)
    return _PLACE.sub(lambda found: filling.place(found[1]), template)


class Filling:
    """The places of one statement."""

    def __init__(self, draft: Draft) -> None:
        self.draft, self.random = draft, draft.random
        self.subject: torch.Tensor | None = None
        self.kept: dict[str, str] = {}
        """What a place that stands there twice has been filled with."""
        self.dim = 0

    def place(self, name: str) -> str:
        """What to write for `{name}`."""
        if name in ("v", "w", "name", "leaf", "hs", "z"):
            if name not in self.kept:
                self.kept[name] = getattr(self, name)()
            return self.kept[name]
        found: str = getattr(self, name)()
        return found

    def _shape(self) -> tuple[int, ...]:
        return () if self.subject is None else tuple(self.subject.shape)

    # Names

    def v(self) -> str:
        """A name for the result."""
        return self.draft.new()

    def w(self) -> str:
        """Another one."""
        name = self.draft.new()
        while name in self.kept.values():
            name += "_"
        return name

    def name(self) -> str:
        """A tensor, as a name alone."""
        name = self.draft.choose(self.draft.tensors())
        self.subject = self.draft.names[name]
        return name

    def z(self) -> str:
        """A tensor that is computed."""
        name = self.draft.choose(self.draft.tensors(is_computed))
        self.subject = self.draft.names[name]
        return name

    def leaf(self) -> str:
        """A leaf that requires grad."""
        leaves = self.draft.tensors(lambda one: one.requires_grad and not is_computed(one))
        name = self.draft.choose(leaves)
        self.subject = self.draft.names[name]
        return name

    def hs(self) -> str:
        """A list of tensors."""
        lists = [
            name
            for name in self.draft.others(list)
            if self.draft.names[name]
            and all(isinstance(one, torch.Tensor) for one in self.draft.names[name])
        ]
        name = self.draft.choose(lists)
        self.subject = self.draft.names[name][0]
        return name

    # Tensors

    def x(self) -> str:
        """Any tensor of floats."""
        return self._expression(self.draft.tensors())

    def x1(self) -> str:
        """A vector."""
        return self._expression(self.draft.tensors(lambda one: one.ndim == 1))

    def x2(self) -> str:
        """A matrix."""
        return self._expression(self.draft.tensors(lambda one: one.ndim == 2))

    def x3(self) -> str:
        """Three axes."""
        return self._expression(self.draft.tensors(lambda one: one.ndim == 3))

    def x4(self) -> str:
        """Two matrices' worth of axes: batch, channels, height, width."""
        return self._expression(self.draft.tensors(lambda one: one.ndim == 4))

    def xd(self) -> str:
        """One with an axis that is not empty."""
        return self._expression(self.draft.tensors(lambda one: one.ndim > 0 and one.numel() > 0))

    def square(self) -> str:
        """A square matrix."""
        fits = lambda one: one.ndim == 2 and one.shape[0] == one.shape[1]  # noqa: E731
        return self._expression(self.draft.tensors(fits))

    def s(self) -> str:
        """A number in a tensor."""
        return self._expression(self.draft.tensors(lambda one: one.ndim == 0))

    def _expression(self, names: list[str]) -> str:
        name = self.draft.choose(names)
        subject: torch.Tensor = self.draft.names[name]
        self.subject = subject
        chance = self.random.random()
        if chance < 0.06:
            return f"({name} {self.random.choice('+-*')} {self.draft.number()})"
        if chance < 0.09:
            return f"{name}.detach()"
        if chance < 0.11:
            return f"{name}.clone()"
        return name

    def y(self) -> str:
        """What broadcasts with the subject: a tensor, a number, or one written out."""
        shape = self._shape()

        def fits(one: torch.Tensor) -> bool:
            try:
                torch.broadcast_shapes(one.shape, shape)
            except RuntimeError:
                return False
            return True

        names = self.draft.tensors(fits)
        chance = self.random.random()
        if names and chance < 0.65:
            return self.draft.choose(names)
        if chance < 0.85:
            return self.c()
        some = tuple(1 if self.random.random() < 0.2 else size for size in shape)
        return self.draft.tensor(some[self.random.randrange(len(some) + 1) :])

    def same(self) -> str:
        """A tensor of the subject's shape."""
        shape = self._shape()
        names = self.draft.tensors(lambda one: tuple(one.shape) == shape)
        if names and self.random.random() < 0.7:
            return self.draft.choose(names)
        if self.subject is not None and self.subject.numel() > 8:
            return f"torch.ones({shape}{self.draft.style.keyword})"
        return self.draft.tensor(shape)

    def const(self) -> str:
        """Numbers of the subject's shape, written out."""
        return self.draft.tensor(self._shape())

    def unit(self) -> str:
        """Probabilities of the subject's shape."""
        item = lambda: self.random.choice(["0.0", "1.0", "0.5", "0.25"])  # noqa: E731
        keyword = self.draft.style.keyword
        return f"torch.tensor({self.draft.nested(self._shape(), item)}{keyword})"

    def signs(self) -> str:
        """1 and −1 in the subject's shape."""
        item = lambda: self.random.choice(["1.0", "-1.0"])  # noqa: E731
        keyword = self.draft.style.keyword
        return f"torch.tensor({self.draft.nested(self._shape(), item)}{keyword})"

    def right(self) -> str:
        """A matrix or vector that a matrix product takes on the right of the subject."""
        shape = self._shape()
        if not shape:
            raise Unfit

        def fits(one: torch.Tensor) -> bool:
            return one.ndim > 0 and one.shape[max(one.ndim - 2, 0)] == shape[-1] and one.ndim <= 3

        names = self.draft.tensors(fits)
        if names and self.random.random() < 0.8:
            return self.draft.choose(names)
        return self.draft.tensor((shape[-1], self.random.randint(1, 3)))

    # Numbers

    def c(self) -> str:
        """A number."""
        return self.random.choice([self.draft.number(), str(self.random.randint(-2, 3))])

    def p(self) -> str:
        """A positive number."""
        return self.random.choice(["0.5", "1.0", "2.0", "0.1", "1.5"])

    def k(self) -> str:
        """A small whole number."""
        return str(self.random.randint(1, 3))

    def n(self) -> str:
        """A whole number for a power."""
        return str(self.random.choice([0, 1, 2, 2, 3, 4, -1, -2]))

    def flag(self) -> str:
        """A truth value."""
        return self.random.choice(["True", "False"])

    def reduction(self) -> str:
        """How a loss is taken together."""
        return self.random.choice(["", "", ", reduction='sum'", ", reduction='none'"])

    # Axes and places

    def d(self) -> str:
        """An axis of the subject."""
        ndim = len(self._shape())
        if not ndim:
            raise Unfit
        self.dim = self.random.randrange(ndim)
        return str(self.dim if self.random.random() < 0.6 else self.dim - ndim)

    def e(self) -> str:
        """An axis that may be new."""
        ndim = len(self._shape()) + 1
        return str(self.random.randrange(-ndim, ndim))

    def dims(self) -> str:
        """Two axes or more, or one."""
        ndim = len(self._shape())
        if ndim < 2:
            raise Unfit
        found = self.random.sample(range(ndim), self.random.randint(1, 2))
        return str(tuple(found))

    def order(self) -> str:
        """All axes, in another order."""
        ndim = len(self._shape())
        return ", ".join(map(str, self.random.sample(range(ndim), ndim)))

    def size(self) -> str:
        """How long the axis is that was named last."""
        return str(self._size())

    def upto(self) -> str:
        """From 1 to as long as the axis is."""
        return str(self.random.randint(1, max(self._size(), 1)))

    def _size(self) -> int:
        shape = self._shape()
        return shape[self.dim] if shape else 1

    def at(self) -> str:
        """A place on the axis that was named last."""
        size = self._size()
        if not size:
            raise Unfit
        return str(self.random.randrange(-size, size))

    def shape(self) -> str:
        """Another shape for as many elements."""
        count = 1 if self.subject is None else self.subject.numel()
        divisors = [one for one in range(1, count + 1) if count % one == 0] or [1]
        first = self.random.choice(divisors)
        rest = count // first
        choices = [(count,), (-1,), (first, rest), (first, -1), (1, count), (first, 1, rest)]
        return ", ".join(map(str, self.random.choice(choices)))

    def wider(self) -> str:
        """A shape that the subject is expanded to."""
        shape = [size if size != 1 else self.random.choice([1, 2, 3]) for size in self._shape()]
        if self.random.random() < 0.4:
            shape.insert(0, 2)
        if not shape:
            raise Unfit
        return ", ".join(map(str, shape))

    def index(self) -> str:
        """An index of the subject: numbers, slices, `...`, None, lists and tensors."""
        shape = self._shape()
        if not shape or 0 in shape:
            raise Unfit
        if self.random.random() < 0.12:
            return self.mask()
        items = [self._item(size) for size in shape[: self.random.randint(1, len(shape))]]
        if self.random.random() < 0.12:
            items.insert(self.random.randrange(len(items) + 1), "None")
        if self.random.random() < 0.15 and len(items) < len(shape):
            at = self.random.choice([0, len(items)])
            items.insert(at, "...")
        return ", ".join(items)

    def _item(self, size: int) -> str:
        chance = self.random.random()
        if chance < 0.35:
            return str(self.random.randrange(-size, size))
        if chance < 0.7:
            start = self.random.choice(["", "", "0", "1", "-1"])
            stop = self.random.choice(["", "", str(size), "-1", "2"])
            step = self.random.choice(["", "", "", ":2"])
            return f"{start}:{stop}{step}"
        if chance < 0.85:
            return str([self.random.randrange(-size, size) for _ in range(2)])
        return self._indices(size, 2)

    def _indices(self, size: int, count: int) -> str:
        """A tensor of places on an axis; one that has a name, if it fits."""
        if not size:
            raise Unfit

        def fits(one: torch.Tensor) -> bool:
            return (
                one.ndim == 1 and one.numel() > 0 and 0 <= int(one.min()) <= int(one.max()) < size
            )

        names = [n for n in self.draft.others(torch.int64) if fits(self.draft.names[n])]
        if names and self.random.random() < 0.6:
            return self.random.choice(names)
        return f"torch.tensor({[self.random.randrange(size) for _ in range(count)]})"

    def idx(self) -> str:
        """A tensor of places on the axis that was named last."""
        return self._indices(self._size(), self.random.randint(1, 3))

    def classes(self) -> str:
        """A class for every row of the subject."""
        shape = self._shape()
        if len(shape) < 2 or not shape[1]:
            raise Unfit
        item = lambda: str(self.random.randrange(shape[1]))  # noqa: E731
        return f"torch.tensor({self.draft.nested((shape[0], *shape[2:]), item)})"

    def gathered(self) -> str:
        """An index for `gather` along the axis that was named last, as large as the subject."""
        size, shape = self._size(), self._shape()
        if not size or 0 in shape:
            raise Unfit
        item = lambda: str(self.random.randrange(size))  # noqa: E731
        return f"torch.tensor({self.draft.nested(shape, item)})"

    def mask(self) -> str:
        """Truth values of the subject's shape."""
        shape = self._shape()
        names = [n for n in self.draft.others(torch.bool) if self.draft.names[n].shape == shape]
        if names and self.random.random() < 0.5:
            return self.random.choice(names)
        floats = self.draft.tensors(lambda one: tuple(one.shape) == shape)
        if floats and self.random.random() < 0.8:
            symbol = self.random.choice([">", "<", ">=", "==", "!="])
            return f"{self.draft.choose(floats)} {symbol} {self.c()}"
        item = lambda: self.random.choice(["True", "False"])  # noqa: E731
        return f"torch.tensor({self.draft.nested(shape, item)})"

    def m(self) -> str:
        """The same, where an operator may stand beside it."""
        return f"({self.mask()})"

    # Whole numbers

    def i(self) -> str:
        """A tensor of whole numbers."""
        name = self.draft.choose(self.draft.others(torch.int64))
        self.subject = self.draft.names[name]
        return name

    def j(self) -> str:
        """Whole numbers that broadcast with the subject: a tensor or a number."""
        shape = self._shape()
        names = [n for n in self.draft.others(torch.int64) if self.draft.names[n].shape == shape]
        if names and self.random.random() < 0.5:
            return self.draft.choose(names)
        return str(self.random.choice([1, 2, 3, -1, -2, 0, 5]))

    def keyword(self) -> str:
        """What a call that makes floats has to say of its dtype."""
        return self.draft.style.keyword

    def shape_of(self) -> str:
        """A small shape."""
        return ", ".join(str(self.random.randint(1, 3)) for _ in range(self.random.randint(1, 2)))

    def python(self) -> str:
        """A number of Python's own that has a name."""
        names: list[str] = [*self.draft.others(int), *self.draft.others(float)]
        return self.draft.choose(names)
