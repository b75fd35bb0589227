"""Training steps of usual sizes: what recording them costs is measured on them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn import functional

Step = Callable[[], Any]


class Training:
    """A step of training when it is called."""

    def __init__(
        self, net: nn.Module, x: torch.Tensor, loss: Callable[[torch.Tensor], torch.Tensor]
    ) -> None:
        self.net, self.x, self.loss = net, x, loss
        self.optimizer = torch.optim.SGD(net.parameters(), lr=1e-3)

    def __call__(self) -> None:
        """Clear, forward, backward, and move the weights."""
        self.optimizer.zero_grad()
        self.loss(self.x).backward()
        self.optimizer.step()


def mlp() -> Step:
    """Six layers of 1,024, of 128 rows."""
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    for _ in range(6):
        layers += [nn.Linear(1024, 1024), nn.ReLU()]
    net, x = nn.Sequential(*layers), torch.randn(128, 1024)
    return Training(net, x, lambda x: net(x).pow(2).mean())


class Block(nn.Module):
    """A block of a transformer, spelled out."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)
        self.projected, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.heads = heads

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The same shape: batch, length, width."""
        batch, length, width = x.shape
        parts = self.projected(self.first(x)).split(width, dim=-1)
        q, k, v = (part.view(batch, length, self.heads, -1).transpose(1, 2) for part in parts)
        scores = q @ k.transpose(-2, -1) / (width // self.heads) ** 0.5
        mask = torch.ones(length, length, dtype=torch.bool).tril()
        mixed = scores.masked_fill(~mask, float("-inf")).softmax(dim=-1) @ v
        x = x + self.out(mixed.transpose(1, 2).reshape(batch, length, width))
        out: torch.Tensor = x + self.down(functional.gelu(self.up(self.second(x))))
        return out


def transformer() -> Step:
    """Six blocks of width 384, of 128 tokens, twice."""
    torch.manual_seed(0)
    net = nn.Sequential(*(Block(384, 6) for _ in range(6)), nn.Linear(384, 256))
    x, target = torch.randn(2, 128, 384), torch.randint(0, 256, (2 * 128,))
    return Training(net, x, lambda x: functional.cross_entropy(net(x).view(-1, 256), target))


class Residual(nn.Module):
    """Two convolutions beside what they are added to."""

    def __init__(self, given: int, width: int, stride: int) -> None:
        super().__init__()
        self.a = nn.Conv2d(given, width, 3, stride, 1, bias=False)
        self.b = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.norms = nn.ModuleList([nn.BatchNorm2d(width), nn.BatchNorm2d(width)])
        self.beside: nn.Module = nn.Identity()
        if stride > 1 or given != width:
            self.beside = nn.Sequential(
                nn.Conv2d(given, width, 1, stride, bias=False), nn.BatchNorm2d(width)
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Channels and sizes as the convolutions make them."""
        inner = functional.relu(self.norms[0](self.a(x)))
        return functional.relu(self.norms[1](self.b(inner)) + self.beside(x))


def resnet() -> Step:
    """ResNet-18, of four pictures of 64 by 64."""
    torch.manual_seed(0)
    layers: list[nn.Module] = [
        nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(3, 2, 1)
    ]  # fmt: skip
    given = 64
    for width in (64, 128, 256, 512):
        stride = 1 if width == 64 else 2
        layers += [Residual(given, width, stride), Residual(width, width, 1)]
        given = width
    net = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 10))
    x, target = torch.randn(4, 3, 64, 64), torch.randint(0, 10, (4,))
    return Training(net, x, lambda x: functional.cross_entropy(net(x), target))


def cells() -> Step:
    """200 steps of an LSTMCell of 64, of 16 rows."""
    torch.manual_seed(0)
    cell, out = nn.LSTMCell(64, 64), nn.Linear(64, 1)

    def loss(x: torch.Tensor) -> torch.Tensor:
        h = c = torch.zeros(16, 64)
        for row in x:
            h, c = cell(row, (h, c))
        answer: torch.Tensor = out(h).pow(2).mean()
        return answer

    return Training(nn.ModuleList([cell, out]), torch.randn(200, 16, 64), loss)


def scalars() -> Step:
    """Two moons by a network of single numbers: some 7,000 of them."""
    torch.manual_seed(0)
    weights = [torch.randn((), requires_grad=True) for _ in range(16 * 3 + 17)]
    points = torch.randn(100, 2).tolist()

    def step() -> None:
        total: Any = 0.0
        for a, b in points:
            hidden = [
                (weights[3 * n] * a + weights[3 * n + 1] * b + weights[3 * n + 2]).tanh()
                for n in range(16)
            ]
            score = weights[48]
            for weight, unit in zip(weights[49:], hidden, strict=True):
                score = score + weight * unit
            total = total + (1 - score * (1 if a > b else -1)).relu()
        total.backward()
        for weight in weights:
            weight.grad = None

    return step


ALL = {
    "MLP 1024×6": mlp,
    "GPT stack 6×384×128": transformer,
    "ResNet-18": resnet,
    "LSTMCell × 200": cells,
    "scalars": scalars,
}
