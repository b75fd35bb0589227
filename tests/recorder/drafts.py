"""Small programs drawn at random, of calls whose graphs are easily mistaken."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import torch
from torch.nn import functional as F  # noqa: N812 - as everybody calls it
from torch.utils.checkpoint import checkpoint

Tensor = torch.Tensor
_linalg: Any = torch.linalg
_some: Any = torch
_EYE = torch.eye(3)


class Both(torch.autograd.Function):
    """Two outputs, and an argument that is none."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, factor: float, y: Tensor) -> tuple[Tensor, Tensor]:
        ctx.factor = factor
        return x * factor + y, x - y

    @staticmethod
    def backward(ctx: Any, *sent: Tensor) -> tuple[Tensor, None, Tensor]:
        first, second = sent
        return first * ctx.factor + second, None, first - second


class Doubled(torch.autograd.Function):
    """Changes what it is given."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.mark_dirty(x)
        return x.mul_(2)

    @staticmethod
    def backward(ctx: Any, *sent: Tensor) -> Tensor:
        return sent[0] * 2


class Largest(torch.autograd.Function):
    """Indices beside values."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> tuple[Tensor, Tensor]:
        values, indices = x.max(dim=0)
        ctx.mark_non_differentiable(indices)
        ctx.save_for_backward(indices)
        return values, indices

    @staticmethod
    def backward(ctx: Any, *sent: Tensor) -> Tensor:
        (indices,) = ctx.saved_tensors
        return torch.zeros(3, 3).scatter(0, indices[None], sent[0][None])


_both: Any = Both.apply
_doubled: Any = Doubled.apply
_largest: Any = Largest.apply
_lstm, _gru, _rnn = (
    torch.nn.LSTM(3, 2, 2),
    torch.nn.GRU(3, 2, bidirectional=True),
    torch.nn.RNN(3, 2),
)
_lstm_cell, _gru_cell = torch.nn.LSTMCell(3, 3), torch.nn.GRUCell(3, 3)
_attention = torch.nn.MultiheadAttention(3, 1)
_norm = torch.nn.BatchNorm1d(3)

ONE: Sequence[Callable[[Tensor], Any]] = (
    torch.sin, torch.tanh, torch.relu, torch.sigmoid, torch.abs, torch.neg, torch.clone,
    lambda x: x.softmax(dim=1), lambda x: x.cumsum(dim=0), lambda x: x.cumprod(dim=1),
    lambda x: x.logsumexp(dim=1, keepdim=True), lambda x: x.var(dim=0), lambda x: x.norm(),
    lambda x: x.T, lambda x: x.flip(0), lambda x: x.roll(1), lambda x: x.reshape(-1),
    lambda x: x.unsqueeze(0), lambda x: x.view(9)[2:5], lambda x: x[:, 1], lambda x: x[x > 0],
    lambda x: x.diagonal(), lambda x: x.triu(), lambda x: x.detach(), lambda x: x.contiguous(),
    lambda x: F.layer_norm(x, (3,)), lambda x: F.gelu(x), lambda x: F.normalize(x, dim=1),
    lambda x: F.dropout(x, 0.5), lambda x: F.pad(x, (1, 0)), lambda x: x.expand(2, 3, 3).sum(0),
    lambda x: x.to(torch.float64).float(), lambda x: x.bfloat16().float(), _norm,
    lambda x: torch.fft.rfft(x).abs(), lambda x: torch.complex(x, x.T).conj().imag,
    lambda x: F.cosine_similarity(x, x.roll(1)), lambda x: x.index_select(0, torch.tensor([2, 0])),
    lambda x: F.cross_entropy(x, torch.tensor([0, 2, 1])), lambda x: F.smooth_l1_loss(x, x.T),
)  # fmt: skip
SEVERAL: Sequence[Callable[[Tensor], Any]] = (
    lambda x: x.max(dim=1), lambda x: x.min(dim=0), lambda x: x.topk(2), lambda x: x.sort(dim=0),
    lambda x: x.unbind(1), lambda x: x.split(2), lambda x: x.chunk(2, dim=1), torch.aminmax,
    lambda x: x.tensor_split(3), lambda x: x.median(dim=0), lambda x: x.mode(dim=1),
    lambda x: x.kthvalue(2), lambda x: x.cummax(dim=0), lambda x: x.cummin(dim=1),
    lambda x: torch.var_mean(x, dim=1), lambda x: torch.std_mean(x), lambda x: _linalg.svd(x),
    lambda x: _linalg.eigh(x + x.T), lambda x: _linalg.qr(x + 3 * _EYE), _linalg.slogdet,
    lambda x: _linalg.lu_factor(x + 4 * _EYE), lambda x: _linalg.inv_ex(x + 5 * _EYE),
    lambda x: _linalg.cholesky_ex(x @ x.T + _EYE), lambda x: _linalg.lu(x + 4 * _EYE),
    lambda x: F.max_pool1d(x, 2, return_indices=True), lambda x: x.hsplit(3), list, tuple,
    lambda x: (lambda out, state: (out, *state))(*_lstm(x[None])), lambda x: _gru(x[None]),
    lambda x: _rnn(x), lambda x: _lstm_cell(x), lambda x: _gru_cell(x),
    lambda x: _attention(x, x, x), lambda x: _attention(x, x, x, need_weights=False)[0],
    _largest, torch.frexp,
    lambda x: torch.meshgrid(x[0], x[1], indexing="ij"),
)  # fmt: skip
TWO: Sequence[Callable[[Tensor, Tensor], Any]] = (
    torch.add, torch.sub, torch.mul, torch.matmul, torch.minimum, torch.atan2, torch.cdist,
    lambda x, y: x / (y * y + 1), lambda x, y: torch.where(x > 0, x, y), lambda x, y: x - x * y,
    lambda x, y: torch.cat([x, y, x]), lambda x, y: torch.stack([y, x]), lambda x, y: x.addmm(y, x),
    lambda x, y: torch.einsum("ij,kj->ik", x, y), F.mse_loss, F.linear, torch.kron,
    lambda x, y: _both(x, 3.0, y), lambda x, y: torch.broadcast_tensors(x[0], y),
    lambda x, y: torch.atleast_3d(x, y), lambda x, y: _some._foreach_mul([x, y], [y, x]),
    lambda x, y: F.scaled_dot_product_attention(x[None], y[None], x[None]),
    lambda x, y: checkpoint(lambda a, b: (torch.sin(a * b), a.exp()), x, y, use_reentrant=False),
    lambda x, y: checkpoint(lambda a, b: torch.tanh(a @ b), x, y, use_reentrant=True),
    lambda x, y: torch.lerp(x, y, 0.25), lambda x, y: F.bilinear(x, y, torch.ones(2, 3, 3)),
)  # fmt: skip


def _part(x: Tensor, y: Tensor) -> None:
    x[0] = y[1]


def _added(x: Tensor, y: Tensor) -> None:
    x[:, 1] += y[:, 0]


def _of_view(x: Tensor, y: Tensor) -> None:
    x.view(-1)[3:6].mul_(y[0])


def _some_of(x: Tensor, y: Tensor) -> None:
    x[x > 0.2] = 0.5


def _by_both(x: Tensor, y: Tensor) -> None:
    part = x[1]
    x.add_(y)
    part.mul_(2)
    x.T.sub_(y)


def _many(x: Tensor, y: Tensor) -> None:
    _some._foreach_mul_([x], [y])


CHANGES: Sequence[Callable[[Tensor, Tensor], Any]] = (
    lambda x, y: x.add_(y), lambda x, y: x.mul_(2), lambda x, y: x.relu_(), lambda x, y: x.copy_(y),
    lambda x, y: x.fill_diagonal_(0.0), lambda x, y: x.masked_fill_(y > 0, 1.0), _part, _added,
    lambda x, y: x.index_add_(0, torch.tensor([0, 2]), y[:2]), _of_view, _some_of, _by_both, _many,
    lambda x, y: x.t_(), lambda x, y: _doubled(x), lambda x, y: x.unbind(0)[0].sin(),
    lambda x, y: torch.mul(x.detach(), 3, out=torch.empty(3, 3)), lambda x, y: x.squeeze_(),
)  # fmt: skip


class Draft:
    """A program while it runs."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        torch.manual_seed(seed)
        self.leaves = [torch.randn(3, 3, requires_grad=True) for _ in range(2)]
        self.made: list[Tensor] = [*self.leaves]

    def run(self) -> None:
        """All of it. What torch refuses is left out, or ends it."""
        for _ in range(self.random.randint(2, 7)):
            self._step()
        with contextlib.suppress(RuntimeError):  # torch's: something was changed in place
            self._go_back()

    def _step(self) -> None:
        kind = self.random.random()
        try:
            if kind < 0.25:
                found = self.random.choice(ONE)(self._matrix())
            elif kind < 0.55:
                found = self.random.choice(SEVERAL)(self._matrix())
            elif kind < 0.8:
                found = self.random.choice(TWO)(self._matrix(), self._matrix())
            else:
                changed = self._matrix()
                changed = changed if self.random.random() < 0.3 else changed * 1
                found = changed
                self.random.choice(CHANGES)(changed, self._matrix())
        except (RuntimeError, NotImplementedError):  # torch's: a leaf in place, no such view
            return
        every = [found] if isinstance(found, Tensor) else list(found)
        self.made += [one for one in every if isinstance(one, Tensor) and one.is_floating_point()]

    def _matrix(self) -> Tensor:
        found = self.random.choice(self.made[-6:])
        return found if found.shape == (3, 3) else self.random.choice(self.leaves) * found.mean()

    def _go_back(self) -> None:
        last = [one for one in self.made[2:] if one.requires_grad]
        ends = self.random.sample(last, min(len(last), self.random.randint(1, 4)))
        if not ends:
            return
        way = self.random.random()
        loss = torch.stack([end.pow(2).sum() for end in ends]).sum()
        if way < 0.5:
            loss.backward()
        elif way < 0.65:
            loss.backward(retain_graph=True)
            ends[0].sum().backward()
        elif way < 0.8:
            torch.autograd.backward(ends, [torch.randn(end.shape) for end in ends])
        else:
            grads = torch.autograd.grad(loss, self.leaves, create_graph=True, allow_unused=True)
            reached = [
                grad.pow(2).sum() for grad in grads if grad is not None and grad.requires_grad
            ]
            if reached:
                torch.stack(reached).sum().backward()
