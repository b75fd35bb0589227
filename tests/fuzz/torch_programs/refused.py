"""What they have found that nobody can know, or that is refused, reduced likewise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

OPEN: Final[Mapping[str, str]] = {
    "a system that is singular but for rounding": """
import torch
y = torch.tensor([88.0, 0.0, 1e20], dtype=torch.float64, requires_grad=True)
a = torch.outer(y, y.detach())
b = torch.linalg.solve(a + 4 * torch.eye(3, dtype=torch.float64), a)
(b ** 2).sum().backward()
""",
    "a system whose factors lose more going back than there": """
import torch
x = torch.tensor([[1e-45, -1.0], [-110.0, 16777217.0]], requires_grad=True)
c = torch.linalg.solve(x + 4 * torch.eye(2), torch.tensor([[1e-20], [1e-45]]))
c.sum().backward()
""",
    "an inverse of numbers that are too far apart": """
import torch
x = torch.tensor([[3e38, 0.5, 16777217.0], [3e38, -110.0, 0.0], [0.0, -1e20, 1e20]],
                 dtype=torch.float64, requires_grad=True)
a = torch.linalg.inv(x + 3 * torch.eye(3, dtype=torch.float64))
a.sum().backward()
""",
    "a smoothed loss that overflows before it is scaled": """
import torch
import torch.nn.functional as F
x = torch.tensor([[1.0, 100.0, 3e38], [-0.0, -1e20, 0.0]], requires_grad=True)
k = F.cross_entropy(x.detach(), torch.tensor([2, 2]), label_smoothing=0.1)
x.sum().backward()
""",
    "the sign of a 0 that is a sum of products": """
import torch
y = torch.tensor([0.5, 0.0, -1.0], requires_grad=True)
b = torch.einsum('i,j->ij', y, y)
torch.atan2(b, b).sum().backward()
""",
    "indices of nothing but nan": """
import torch
x = torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0], requires_grad=True)
k, i = (x * float("nan")).topk(5)
(x * i).sum().backward()
""",
    "a median of what is expanded, which torch sorts in place": """
import torch
x = torch.tensor([0.5, 0.5, -0.75], requires_grad=True)
a = x.expand(2, 3).detach().median(0).values
(x * a).sum().backward()
""",
    "a 0 of sgn, with which torch computes nothing": """
import torch
x = torch.tensor([[-1.0], [1.0], [0.0], [2.0]], requires_grad=True)
torch.sgn(torch.sqrt(x)).sum().backward()
""",
    "a mask that hangs on the last digit": """
import torch
import torch.nn.functional as F
x = torch.tensor([[[1.0, 0.7], [0.7, 0.25], [3.0, 2.0]]], requires_grad=True)
a = F.scaled_dot_product_attention(x, x, torch.ones((1, 3, 2)))
c = torch.masked_select(a, a >= 1)
(a.sum() + c.sum()).backward()
""",
    "a product that overflows on one way, by a kernel that hangs on how a matrix lies": """
import torch
y = torch.tensor([[[3e38, 3e38], [16777217.0, -1e20]]], requires_grad=True)
(y @ y.transpose(1, 2)).sum().backward()
""",
    "a batch of equal numbers, of which the mean is rounded": """
import torch
import torch.nn.functional as F
y = torch.tensor([[3e38], [3e38], [3e38], [3e38]], dtype=torch.float64, requires_grad=True)
F.batch_norm(y, None, None, training=True).sum().backward()
""",
    "a batch whose gradient overflows on the way": """
import torch
import torch.nn.functional as F
x = torch.tensor([[0.0, 1e-45], [-1.0, 1e20]], requires_grad=True)
a = F.batch_norm(x, None, None, training=True)
(a @ torch.tensor([[1e20, -0.0], [-1e20, 0.5]])).sum().backward()
""",
    "a sum that overflows in one order and not in another": """
import torch
x = torch.tensor([[1e20, float("inf")], [3e38, 3e38], [-3e38, -3e38]], requires_grad=True)
y = x.mean() + x[1:].sum()
y.backward()
""",
    "terms that cancel to nothing, and digits that a later step hangs on": """
import torch
x = torch.tensor([1e20, 88.0, -1e20, 1.0, 0.5, 0.25], requires_grad=True)
y = torch.tensor([[2.0, -2.3, 1.2], [-1.5, -2.3, -1.5]])
a = torch.frac(3.0 * torch.tanh(y @ y.T))
(x.sum() + a.sum()).backward()
""",
    "padding beside what is not finite": """
import torch
import torch.nn.functional as F
x = torch.tensor([[[1.0, float("inf")]], [[1e20, -0.0]]], requires_grad=True)
w = torch.tensor([[[2.0, float("nan"), float("inf")]]], requires_grad=True)
F.conv1d(x, w, padding=1).sum().backward()
""",
    "matrices that elimination cannot hold": """
import torch
x = torch.tensor([[1e20, float("inf")], [0.5, 1.0]], requires_grad=True)
y = torch.tensor([[1.0, 1e20], [1e-45, 1e-20]], requires_grad=True)
z = torch.tensor([[0.0, -0.0], [float("inf"), -0.0]])
a = (torch.det(x) * torch.tensor(1e-38), torch.det(y) * 2e20, torch.det(z) * y.sum())
(a[0] + a[1] + a[2]).backward()
""",
    "normalisations of the largest numbers": """
import torch
import torch.nn.functional as F
x = torch.tensor([[3.3e38, 1.0, 2.0, 3.0, 4.0, 5.0], [1.0, -3.3e38, 0.0, 2.0, 1.0, 0.5]],
                 requires_grad=True)
w = torch.arange(1.0, 7.0)
a = F.layer_norm(x, (6,)) + F.group_norm(x, 2) + F.batch_norm(x, None, None, training=True)
b = F.rms_norm(x, (6,)) + F.instance_norm(x[None])[0]
(a * w).sum().backward(retain_graph=True)
(b * w).sum().backward()
""",
    "normalisations of what is far from 0 beside its spread": """
import torch
import torch.nn.functional as F
x = torch.tensor([[3e38, 3e38], [2e6, 3e6]], dtype=torch.float64, requires_grad=True)
y = F.layer_norm(x, (2,)) + F.group_norm(x, 1)
y.backward(torch.tensor([[0.5, 1e20], [1.0, 2.0]], dtype=torch.float64))
""",
    "nan at a bound, and a gelu of what has no square": """
import torch
import torch.nn.functional as F
x = torch.tensor([[float("nan")], [float("inf")], [-1e20], [0.5]]) * torch.ones(9)
x.requires_grad_()
a = F.elu(x) + F.hardtanh(x) + F.hardshrink(x)
(a + F.gelu(x)).backward(torch.ones(4, 9))
""",
}
"""What nobody can know: where torch's answer is another, that is told, and nothing is wrong."""

REFUSED: Final[Mapping[str, str]] = {
    "a change of an einsum that is a view": """
import torch
x = torch.tensor([[0.5, 1.0], [2.0, -1.0]], requires_grad=True)
y = x * 2
e = torch.einsum("ii->i", y)
e += 1
(y * x).sum().backward()
""",
    "a change of what an einsum is a view of": """
import torch
x = torch.tensor([[0.5, 1.0], [2.0, -1.0]], requires_grad=True)
y = x * 2
e = torch.einsum("ij->ji", y)
y += 1
e.sum().backward()
""",
    "a change of what is reshaped from an order that is not told": """
import torch
x = torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
y = torch.einsum("ij,kl->kijl", x * 2, x).reshape(4, 4)
y += 1
y.sum().backward()
""",
    "a kernel without channels": """
import torch
x = torch.ones(2, 0, 5, requires_grad=True)
y = torch.conv1d(x, torch.ones(2, 0, 3)).sum()
y.backward()
""",
    "a division by an index that is open, for two elements are equal": """
import torch
x = torch.tensor([[2.0], [0.0], [-1.0]], requires_grad=True)
z = torch.tensor([[2.0], [0.0], [1.0], [2.0]])
a, i = (z + 0.5).topk(1, dim=-2)
b = i % i
x.sum().backward()
""",
    "an output of many after its base has changed, which needs no gradient": """
import torch
x = torch.tensor([[1.0], [2.0]], requires_grad=True)
a = torch.sin(x) * 2
b = a.split(1)[0]
a -= 3
c = a > b
a.sum().backward()
""",
}
"""What torch may run and we do not: with the place and the fix."""

_HEAD = """
import torch
x = torch.tensor([1.5, -2.0, 0.5], requires_grad=True)
i = torch.tensor([0, 2, 1])
m = torch.tensor([True, False, True])
"""
RAISING: Final[Mapping[str, str]] = {
    statement: f"{_HEAD}y = {statement}\nx.sum().backward()\n"
    for statement in (
        "x @ i",
        "torch.dot(x, i)",
        "torch.outer(x, x) @ i",
        "torch.inner(x, i)",
        "torch.einsum('i,i->', x, i)",
        "torch.mv(torch.eye(3), i)",
        "torch.addmm(torch.eye(3), torch.eye(3), torch.outer(i, i))",
        "torch.linalg.solve(torch.eye(3), i)",
        "torch.cross(x, i, dim=0)",
        "i.lerp(i, 0.5)",
        "m.argmax()",
        "m.abs()",
        "m ** m",
        "x; torch.sgn(x).sum().backward()",
        "x.exp(); e = y[3:]; e += 1; y.sum().backward()",
    )
}
"""What torch refuses over the dtypes."""
