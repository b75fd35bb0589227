"""Programs as people paste them, which Python and torch run too."""

from __future__ import annotations

PROGRAMS = {
    "the guide's two examples": """
import torch

x = torch.tensor(2.0, requires_grad=True)
y = x ** 2 + 3 * x + 1
y.backward()
print(x.grad)  # tensor(7.)

z = torch.tensor(3.0, requires_grad=True)
w = z ** 3
w.backward()
print(f"dw/dz = {z.grad:.1f}", w.grad_fn)
""",
    "imports of all kinds": """
import torch
import torch.nn.functional as F, numpy as np
from torch import nn, tensor
from torch.nn import (
    functional as F,
)
import math
x = tensor([0.5, -1.5], requires_grad=True)
y = F.relu(x).sum() * math.pi
y.backward()
""",
    "computing inside of no_grad": """
x = torch.tensor([1.0, 2.0], requires_grad=True)
with torch.no_grad():
    a = x * 2
    b = a + x  # a comment

    with torch.no_grad():
        c = b * x
    d = (c +
  x)
e = x * d
with torch.no_grad(): f = e; g = e * 2
h = (e * g + a).sum()
h.backward()
""",
    "no_grad at the end, and an alias that keeps its history": """
x = torch.tensor(3.0, requires_grad=True)
with torch.no_grad():
\ty = x
z = y * y
z.backward()
with torch.no_grad():
\tprint(z.requires_grad, (z * 2).requires_grad)
\tlast = z + 1
""",
    "a detached factor": """
x = torch.tensor(3.0, requires_grad=True)
s = x ** 2
y = s * s.detach()
y.backward()
print(x.grad)  # 54, not 108
""",
    "a gradient that is a name, written out, and of ones": """
v = torch.tensor([0.1, 1.0, 0.0001])
x = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
y = x * 2
y.backward(v, retain_graph=True)
y.backward(gradient=torch.tensor([1.0, 0.0, 0.0]), retain_graph=True)
y.backward(torch.ones_like(y), retain_graph=True)
y.backward(3 * torch.ones(3))
""",
    "gradients cleared one by one": """
x = torch.tensor(3.0, requires_grad=True)
w = torch.tensor(2.0, requires_grad=True)
y = x * w
y.backward(retain_graph=True)
x.grad.zero_()
w.grad = None
y.backward(retain_graph=True)
x.grad = None
y.backward(None, retain_graph=True)
w.grad.data.zero_()
x.grad
""",
    "values in between that keep their gradient": """
x = torch.tensor([1.0, 2.0], requires_grad=True)
h = x ** 2
h.retain_grad()
x.retain_grad()
k = h * 3
y = (h * k).sum()
y.retain_grad()
y.backward(retain_graph=True)
y.backward(retain_graph=True)
h.grad.zero_()
k.sum().backward()
""",
    "a backward pass of a value that has no name": """
x = torch.tensor([1.0, 2.0], requires_grad=True)
(x * x).sum().backward()
(x * x).sum().backward()
y = x.sum()
y = y * 2
y.backward()
y = y * y
""",
    "a name assigned again between two passes": """
x = torch.tensor(2.0, requires_grad=True)
y = x * x
y.backward()
y = x ** 3
y.backward()
y = y.detach() * x
""",
    "backward passes of leaves alone": """
x = torch.tensor(5., requires_grad=True)
w = torch.tensor([5., 1.], requires_grad=True)
x.backward()
x.backward()
w.backward(torch.tensor([1., 2.]))
""",
    "a leaf among the outputs": """
x = torch.tensor(5., requires_grad=True)
x.backward()
y = x * x
y.backward()
""",
    "rounding, by both of its functions": """
x = torch.tensor([1.25, -2.5], requires_grad=True)
a = torch.round(x)
b = torch.special.round(x)
c = torch.special.round(x, decimals=1)
d = x.round(decimals=0)
y = (x * (a + b + c + d)).sum()
y.backward()
""",
    "functions as values of names": """
import torch.nn.functional as F
from torch import cos
loss_fn = F.mse_loss
f = torch.sin
g = f
act = nn.ReLU()
x = torch.tensor([1.0, -2.0], requires_grad=True)
h = g(x) + act(x) + f(input=x) + torch.special.expit(x)
for one in [torch.tanh, F.softplus, cos, act]:
    h = h + one(x)
loss = loss_fn(h, torch.tensor([0.5, 0.25]), reduction="sum")
loss.backward()
""",
    "values that are made leaves": """
a = torch.arange(4.0)
x = a.view(2, 2).requires_grad_()
w = (torch.ones(2, 2) * 2).requires_grad_(True)
v = w * 3
u = v.detach().requires_grad_()
m = torch.tensor([1, 2]).double().requires_grad_()
p = nn.Parameter(torch.ones(2) / 4)
q = nn.Parameter(w.sum())
b = torch.ones(2) + 1
b.requires_grad = True
c = torch.ones(2) * 2
c.requires_grad_(False)
with torch.no_grad():
    d = (w + 1).requires_grad_()
h = (x @ w + u * m + p * q * d).requires_grad_()
h.requires_grad_()
x.retain_grad()
y = (h * h + b * c).sum()
y.backward(retain_graph=True)
x.grad.zero_()
b.grad = None
y.backward()
x.grad
""",
    "leaves made of numbers alone": """
x = (torch.tensor(2.0) * 3).requires_grad_()
z = torch.tensor(1.5)
s = torch.sin(z)
s.requires_grad_()
w = torch.tensor(0.5, requires_grad=True)
t = (w * z).detach().requires_grad_()
y = x * s + torch.exp(x / 9) * t + w
y.backward()
""",
    "pooling that tells where the largest elements are": """
import torch.nn.functional as F
x = torch.tensor([[[1.0, 3.0, 3.0, 0.0], [-1.0, 2.0, 0.5, 3.0]]], requires_grad=True)
y, at = F.max_pool2d(x, 2, return_indices=True)
z = F.max_pool1d(x[0], 3, 1, padding=1, return_indices=True)[0]
kept = F.max_pool2d(x, 2, return_indices=False)
picked = x.flatten().gather(0, at.flatten())
loss = (y * kept).sum() + (z * z).sum() + picked.sum()
loss.backward()
""",
    "what is changed in place and is no leaf": """
x = torch.tensor([1.0, 2.0], requires_grad=True)
h = x * 2
h += 1
h *= 3
n = torch.ones(2)
n -= 0.5
y = (h * n).sum()
y.backward()
""",
    "conversions to the one dtype of a program": """
x = torch.tensor([1.0, -2.0], dtype=torch.float64, requires_grad=True)
n = torch.tensor([1, 2])
a = (x > 0).to(torch.float64)
b = n.to(dtype=torch.double) * x.to(torch.float64)
c = torch.softmax(x, 0, dtype=torch.float64) + n.sum(dtype=torch.float64)
d = torch.arange(2).type(torch.float64).requires_grad_()
y = (a * b * c * d).sum(dtype=torch.float64)
y.backward()
""",
    "tensors of every kind": """
a = torch.zeros(2, 3, requires_grad=True)
b = torch.ones((2, 3), dtype=torch.float64)
c = torch.full((2, 3), 2.5)
d = torch.arange(3.0)
e = torch.linspace(-math.pi, 2 * math.pi, steps=3)
f = torch.eye(3)
g = torch.eye(3, 2)
h = torch.tensor([[1, 2, 3], [4, 5, 6]])
i = torch.arange(1, 7, 2)
j = torch.as_tensor(2.5).requires_grad_()
k = torch.tensor([True, False, True])
m = torch.tensor(3)
n = torch.nn.Parameter(torch.ones(3))
o = torch.tensor([1, 2, 3], dtype=torch.double)
p = torch.tensor([[-1.5, +2.0], [1 / 2, 2 ** 3]])
q = torch.full((2,), 7)
r = torch.tensor([])
y = ((a + b) * c + d * e + n * j + o).sum() + (f @ g).sum() * m + (p @ p).sum()
y.backward()
""",
    "comparisons, masks and where": """
x = torch.tensor([-1.5, 0.0, 0.5, 3.0], requires_grad=True)
inside = (x > -1) & (x <= 1) | ~(x != 3)
y = torch.where(inside, x ** 2, 3 * x)
z = (x * (x >= 0)).sum() + y[inside].sum() + x[x < 0].sum() + (x == 0.5).sum()
z.backward()
""",
    "several outputs, unpacked, picked and spliced": """
x = torch.tensor([[3.0, 1.0, 2.0, 0.5], [0.1, 0.2, 0.3, 0.4]], requires_grad=True)
a, b = x.chunk(2, dim=1)
values, indices = torch.max(x, dim=1)
(low, _) = x.min(dim=0)
parts = x.split(1)
s = x.sort(dim=1, descending=True)
joined = torch.cat(parts) + torch.stack([parts[0], parts[-1]]).squeeze(1)
both = torch.cat([*x.split(2, dim=1), a], dim=1)
a, b = b, a * 2
y = (a * b).sum() + values.sum() + low.sum() + joined.sum() + s.values[0, 1] + both.sum()
y.backward()
""",
    "rows of a tensor, unpacked": """
w = torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
first, second = w
y = (first * second).sum()
y.backward()
""",
    "sizes as numbers": """
N, D = 4, 3
x = torch.linspace(0, 1, N * D).reshape(N, D)
w = torch.linspace(-1, 1, D * 2, requires_grad=True)
B, T = x.shape
h = x @ w.view(T, -1)
half = h.size(0) // 2
shape = (half, -1)
y = h.view(shape).sum() / x.shape[0] + h.view(*h.shape, 1).mean() * math.sqrt(x.size(-1))
z = y * len(x) + h[half:].sum() * h.shape[-1] ** 0.5 + h.numel() / h.ndim + h[half - 1].sum()
z.backward()
""",
    "modules that have no parameters": """
x = torch.tensor([[0.5, -1.0], [2.0, 0.1]], requires_grad=True)
t = torch.tensor([[0.0, 1.0], [1.0, 0.0]])
labels = torch.tensor([1, 0])
act = nn.Tanh()
criterion = nn.CrossEntropyLoss()
h = nn.ReLU()(x) + act(x) + nn.LeakyReLU(0.2)(x).sum() + torch.nn.Softmax(dim=-1)(x)
loss = nn.MSELoss()(h, t) + criterion(h, labels) + nn.L1Loss(reduction='sum')(input=h, target=t)
loss = loss + nn.BCEWithLogitsLoss()(x, t) + nn.Flatten()(x).sum() + nn.Identity()(x).mean()
loss.backward(retain_graph=True)
""",
    "scaled attention over two heads": """
q = torch.linspace(-1, 1, 24, requires_grad=True)
B, T, C = 1, 4, 6
x = q.view(B, T, C)
heads = x.view(B, T, 2, C // 2).transpose(1, 2)
scores = heads @ heads.transpose(-2, -1) / math.sqrt(heads.size(-1))
mask = torch.tril(torch.ones(T, T))
scores = scores.masked_fill(mask == 0, float('-inf'))
out = (F.softmax(scores, dim=-1) @ heads).transpose(1, 2).reshape(B, T, C)
loss = out.pow(2).mean()
loss.backward()
assert q.grad.shape == (24,)
assert torch.allclose(q.grad, q.grad), f"{loss.item()} is off"
""",
    "a step of gradient descent that is computed and shown": """
x = torch.arange(3)
idx = torch.tensor([0, 2])
w = torch.ones(3, requires_grad=True)
y = ((w * x - 1) ** 2)[idx].sum()
y.backward()
print(f"loss {y.item():.3f}", w.grad.numpy(), end="\\n")
w.grad.zero_()
""",
    "an input that is told to require grad": """
x = torch.ones(2)
x.requires_grad_()
w = torch.ones(2)
w.requires_grad = True
v = torch.ones(2, requires_grad=True)
v.requires_grad_(False)
y = (x * w * v).sum()
y.backward()
""",
    "a loop over numbers, in which a name is assigned again": """
w = torch.tensor(1.5, requires_grad=True)
start = torch.tensor(0.3)
h = start
for i in range(4):
    h = torch.tanh(w * h + i) * (i + 1) / 2
    if_even = h * i**2
y = h + if_even
y.backward()
""",
    "loops in loops, with indices, lengths and an inline body": """
x = torch.tensor([[1.0, -2.0, 3.0], [0.5, 0.25, 4.0]], requires_grad=True)
total = 0.0
for i in range(x.shape[0]):
    for j in range(i, 3):
        k = 2 - j
        total = total + x[i, k] * x[1 - i, j] ** (j + 1)
    total = total * 2
for _ in range(2): total = total * x[0, 0]; total = total + 1
total.backward()
""",
    "a recurrent network, its states in a list": """
W = torch.tensor([[0.5, -0.25], [0.125, 1.0]], requires_grad=True)
U = torch.tensor([[1.0], [-1.0]], requires_grad=True)
xs = torch.tensor([[0.1], [0.2], [-0.3], [0.7]])
start = torch.zeros(2)
h = start
hs = []
for t, x in enumerate(xs):
    h = torch.tanh(h @ W.T + x @ U.T) / (t + 1)
    hs.append(h)
loss = torch.stack(hs).pow(2).mean() + hs[-1].sum() - hs[1][0] * len(hs)
loss.backward()
""",
    "comprehensions, and the functions for lists": """
w = torch.tensor([0.5, -1.0, 2.0], requires_grad=True)
x = torch.tensor([3.0, 0.25, -0.5])
products = [a * b for a, b in zip(w, x)]
powers = [w[i] ** n for i in range(3) for n in range(1, 3)]
pairs = [[p + q for q in products] for p in powers[1:4]]
total = sum(products) + sum((p for p in powers), 0.5) + sum(pairs[0])
for i, (a, b) in enumerate(zip(reversed(products), [1, 2.5, 3])):
    total = total + a * b * i + pairs[-1][i] * sum([i, 1])
y = total + sum(w) + torch.cat([w[i:i + 1] for i in range(2)]).sum()
y.backward()
""",
    "a neuron as micrograd has it": """
ws = [torch.tensor(0.5), torch.tensor(-1.0)]
b = torch.tensor(0.25, requires_grad=True)
x = torch.tensor([1.0, 2.0], requires_grad=True)
act = sum((wi * xi for wi, xi in zip(ws, x)), b)
with torch.no_grad():
    for w in ws:
        frozen = act * w
out = act.tanh() + frozen
out.backward()
""",
}
