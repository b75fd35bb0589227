"""What random programs have found, reduced to the lines that it takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

FOUND: Final[Mapping[str, str]] = {
    "a copy of operands that lie in memory in different ways": """
import torch
x = torch.tensor([[[1.0, 2.0], [3.0, 4.0]], [[5.0, 6.0], [7.0, 8.0]]], requires_grad=True)
c = x * 2
d = c.transpose(2, 0).reciprocal() + c
e = d.reshape(1, 8).relu_()
f = (c.permute(1, 2, 0) * c.exp()).permute(2, 0, 1).reshape(8)
f += 1
(d.sum() + e.sum() + f.sum()).backward()
""",
    "a cosine between numbers that are too far apart": """
import torch
x = torch.tensor([0.5, -1e20], dtype=torch.float64, requires_grad=True)
y = torch.cos(x).sum()
y.backward()
""",
    "the square of a number that is nearly nothing": """
import torch
torch.set_default_dtype(torch.float64)
x = torch.tensor([[float("inf")], [3e+38], [1e-45], [-1.0]], requires_grad=True)
a = x * 1
b = a.median(0).values
f = (b ** 2).sum()
f.backward()
""",
    "attention without a kernel of torch's own": """
import torch
import torch.nn.functional as F
torch.set_default_dtype(torch.float64)
b = torch.tensor([[[1.0], [1.0]], [[3e38], [3e38]]], requires_grad=True)
d = F.scaled_dot_product_attention(b.detach(), b, b)
d.sum().backward()
""",
    "attention with a kernel of torch's own": """
import torch
import torch.nn.functional as F
torch.set_default_dtype(torch.float64)
b = torch.tensor([[[[1.0], [1.0]], [[3e38], [3e38]]]], requires_grad=True)
d = F.scaled_dot_product_attention(b.detach(), b.detach(), b)
d.sum().backward()
""",
    "a saturated tanh in float32": """
import torch
import torch.nn.functional as F
x = torch.tensor([[3.0, -1.5], [-0.75, -0.4]], requires_grad=True)
a = F.threshold(x, 0.1, 3)
d = torch.tanh(a @ x)
e = d.mean()
e.backward()
""",
    "terms that cancel inside of a layer, in float32": """
import torch
import torch.nn.functional as F
x = torch.tensor([[[[1.2, 0.25, 0.1], [-2.3, 0.7, -2.3]]]], requires_grad=True)
b = F.layer_norm(x, (3,)) * 2
c = F.batch_norm(x[0], None, None, training=True)
(b.sum() + c.sum()).backward()
""",
    "an overflow before a size that is asked for": """
import torch
x = torch.tensor([[3e38, -1.0], [2.0, 0.5]], requires_grad=True)
y = x * x
z = torch.eye(x.detach().shape[0]) * torch.ones(len(y))
(x * z).sum().backward()
""",
    "whole numbers that stay whole": """
import torch
x = torch.tensor([1.5, -2.0, 0.5], requires_grad=True)
i = torch.tensor([0, 2, 1])
m = torch.tensor([True, False, True])
a, b, c, d = i.clamp(0, 1), torch.clamp(i, max=2), i.clamp(0.0, 1.0), m.clamp(0, 1)
e, f = i.sign(), (-i).sgn()
g, h = torch.addcmul(i, i, i), i.add(i, alpha=2)
k, l = torch.where(m, 1, 0), torch.where(m, 1.0, 0)
n, o = torch.where(m, i, 0), torch.where(i > 0, x, 1)
(x * (a + e + g + k)).sum().backward()
""",
    "an index that names one element twice and is written to": """
import torch
x = torch.tensor([0.0, 2.0, 0.5, 1.0], requires_grad=True)
a = x[torch.tensor([True, False, True, True])]
a[[-2, -2]] += 0.5
a[torch.tensor([2, 0])] = 3
d = (a ** 2).sum()
d.backward()
""",
    "terms that cancel on the way": """
import torch
z = torch.tensor([[1e20], [100.0], [-1e20], [0.5]], dtype=torch.float64, requires_grad=True)
c = torch.tensor(1e-20, dtype=torch.float64) * z.clone()
(z.sum() + c.mean()).backward()
""",
    "the target of a loop, after it": """
import torch
x = torch.tensor([2.0, 2.0, -1.0, 2.0], requires_grad=True)
b = 0
for i, (row, other) in enumerate(zip(x, x)):
    b = b + row * other
other = torch.tensor([1, 0, 1])
k = other * 2
row.backward(torch.ones_like(row))
""",
    "the length of one large number": """
import torch
import torch.nn.functional as F
x = torch.tensor([[0.0], [-1e20], [88.0]], requires_grad=True)
a = F.cosine_similarity(x, x) + F.normalize(x, dim=-1).sum(1)
b = x.norm(dim=1) + torch.linalg.vector_norm(x, ord=3, dim=-1)
(a.sum() + b.sum()).backward()
""",
    "a nan that a shut gate keeps away": """
import torch
import torch.nn.functional as F
x = torch.tensor([[float("-inf"), 1.0], [1e-45, float("nan")]], requires_grad=True)
s = torch.tensor([[-1.0, 1.0], [-1.0, -1.0]])
g = F.hinge_embedding_loss(x, s, reduction="none")
(g ** 2).sum().backward()
""",
    "a mask of a number, which makes a copy": """
import torch
x = torch.tensor(0.5, requires_grad=True)
a = x[x == 3]
b = x[x < 3]
a.relu_()
b += 1
(b * x).sum().backward()
""",
    "the first power of a matrix that is not finite": """
import torch
y = torch.tensor([[1.0, 1e-38], [float("-inf"), 2.0]], requires_grad=True)
c = torch.matrix_power(y, 1)
((y + 1) * (y - c)).mean().backward()
""",
    "a rule for a kink where the function has none": """
import torch
x = torch.tensor([0.5, 2.0, 0.0], requires_grad=True)
a = torch.copysign(x, x)
b = x.clamp(min=2, max=2.0)
(a * x + a + b).sum().backward()
""",
    "twice a difference that is nearly too large": """
import torch
import torch.nn.functional as F
x = torch.tensor([1.0, 1e-45, -0.0], requires_grad=True)
a = F.mse_loss(x, torch.tensor([1e20, 1e-20, 3e38]))
a.backward()
""",
    "all of a tensor is written over, and nothing is kept for the way back": """
import torch
x = torch.tensor([0.7, 0.1, -0.4, -1.5], requires_grad=True)
a = x.clone()
a[:] = 3
b = a.sum()
b.backward()
a.backward(torch.ones_like(a))
c = x * 2
c[...] = x * x
c[:] *= x
c.sum().backward()
""",
    "a size of what is not finite": """
import torch
x = torch.tensor([16777217.0, float("-inf")], requires_grad=True)
y = torch.tensor([[-1e20, -1.0], [16777217.0, float("inf")]], requires_grad=True)
a = x.detach()
torch.manual_seed(1)
c = torch.randn((y * 0.0).shape) * a
x.sum().backward()
""",
    "zeros over a value that nan reaches": """
import torch
y = torch.tensor([1.0, 3.0], requires_grad=True)
b = y * 2
b.zero_()
(b * torch.tensor([float("nan"), float("inf")])).sum().backward()
""",
    "a running product past a 0, past nan and past inf": """
import torch
a = torch.tensor([[0.0, 2.0, float("nan")], [3.0, 0.0, 0.0]], requires_grad=True)
b = torch.tensor([[float("inf")], [1e-45]], requires_grad=True)
c = torch.tensor([1e-38, 1e-38, 3e38, float("inf")], requires_grad=True)
(a.cumprod(1).sum() + b.cumprod(1).sum() + c.cumprod(0).sum()).backward()
""",
    "a product with two zeros beside what is not finite": """
import torch
z = torch.tensor([float("-inf"), 1e20, 0.0, 0.0], requires_grad=True)
z.prod().backward()
""",
    "terms that are sent one by one, and a gate that is shut before": """
import torch
import torch.nn.functional as F
x = torch.tensor([1e-45, 3e38, 0.0], requires_grad=True)
a = F.poisson_nll_loss(x, torch.tensor([0.5, 0.0, 0.5]))
z = torch.tensor([1e20, 1e-38, float("nan")], requires_grad=True)
b = F.margin_ranking_loss(z, z.detach(), torch.tensor([1.0, -1.0, -1.0]))
(a ** 2 + b ** 2).backward()
""",
    "a number over a tensor whose reciprocal overflows": """
import torch
x = torch.tensor([float("-inf"), 1e-45, 0.0, 3.0], requires_grad=True)
(-0.0 / x).mean().backward()
""",
    "a power of a matrix that is not finite, by the products that torch goes by": """
import torch
z = torch.tensor([[float("inf"), 2.0], [3e38, float("-inf")]], requires_grad=True)
(torch.matrix_power(z, 2).sum() + torch.matrix_power(z, 3)[0, 0]).backward()
""",
    "a product that is added before it is rounded": """
import torch
y = torch.tensor([[0.5, float("nan")], [-110.0, 3e38]], requires_grad=True)
z = torch.addcmul(y, -torch.ones(2, 2), y, value=2.0)
(y.sub(y, alpha=2).sum() + z.sum()).backward()
""",
    "a norm with an upstream gradient that is not finite": """
import torch
import torch.nn.functional as F
x = torch.tensor([[0.0, 1.0, 2.0, 4.0]], requires_grad=True)
w = torch.tensor([[1.0, float("inf"), 2.0, 3.0]])
a = F.group_norm(x, 1) * w
b = F.layer_norm(x, (4,), w[0]) + F.instance_norm(x.reshape(1, 2, 2)).reshape(1, 4) * w
(a.sum() + b.sum()).backward()
""",
    "a product of float64 that is added before it is rounded": """
import torch
y = torch.tensor([[0.5, 1.5e308], [-110.0, 3e38]], dtype=torch.float64, requires_grad=True)
z = torch.addcmul(y, -torch.ones(2, 2, dtype=torch.float64), y, value=2.0)
(y.sub(y, alpha=2).sum() + z.sum() + y[0, 1].sub(y[0, 1], alpha=2)).backward()
""",
    "a square at its least, and bounds that are one": """
import torch
x = torch.tensor([2.0, 2.0, 2.0], dtype=torch.float64, requires_grad=True)
y = torch.tensor([1.2, 3.0, 2.0], dtype=torch.float64, requires_grad=True)
a = torch.var(x.cos(), dim=-1)
b = torch.clamp(x, y, y)
(a + (b ** 2).sum()).backward()
""",
    "slices of everything that are written to, and what a product does not need": """
import torch
x = torch.tensor([[1.0, 2.0, 0.5]], requires_grad=True)
a = x.clone()
a[0:, :3] = 0.7
a.sum().backward()
a.sum().backward()
b = x * 1
c = torch.einsum('ij,ij->i', b, torch.ones(1, 3))
b[0, 0] *= 2
c.sum().backward()
""",
    "a variance of one element, and a mish beside inf": """
import torch
import torch.nn.functional as F
x = torch.tensor([1.0, float("nan"), -0.0], requires_grad=True)
y = torch.var(x.mean())
z = F.mish(x) @ torch.tensor([1.0, 2.0, float("inf")])
(y + z).backward()
""",
    "parts of a contribution that cancel": """
import torch
import torch.nn.functional as F
x = torch.tensor([[1.0, 2.0], [-2.3, 0.7], [0.25, 0.5]], requires_grad=True)
(x * F.tanhshrink(x)).mean().backward()
""",
    "a kink that is seen from far away alone": """
import torch
import torch.nn.functional as F
x = torch.tensor([[1.0, 1e-38, 1e+20]], requires_grad=True)
e = x.gather(1, torch.tensor([[0, 1, 0]]))
h = F.layer_norm(F.hardtanh(e), (3,))
(h ** 2).sum().backward()
""",
    "zeros of sgn, which are cleared before others are added": """
import torch
x = torch.tensor([0.5, -1.0], requires_grad=True)
torch.sgn(x).sum().backward()
x.grad = None
torch.sgn(x).sum().backward()
y = torch.tensor([2.0, 1.0], requires_grad=True)
(y * torch.sgn(y)).sum().backward()
(y * torch.sgn(y)).sum().backward()
""",
    "a convolution lies in order, so that contiguous() is no copy": """
import torch
import torch.nn.functional as F
z = torch.tensor([[[0.0, 0.5], [0.0, -1.0]], [[0.0, 2.0], [2.0, 0.5]]], requires_grad=True)
g = F.conv1d(z, z, padding=1)
h = g.contiguous()
g.masked_fill_(g > 0.5, 2)
h.mean().backward()
""",
    "a difference of nearly equal numbers, before and after it is made large": """
import torch
import torch.nn.functional as F
torch.set_default_dtype(torch.float64)
x = torch.tensor([0.0, -0.0, 1.0], requires_grad=True)
w = torch.tensor(0.0, requires_grad=True)
b = F.tanhshrink(x) * 1e20 + F.tanhshrink(x * 1e20)
b += torch.tensor([1e20, 1.0, 1.0]) * F.tanhshrink(w)
(b.sum() + F.tanhshrink(w * 1e20)).backward()
""",
    "a root mean square of equal elements, and a number beside which a sum is nothing": """
import torch
import torch.nn.functional as F
x = torch.full((3,), 0.3, requires_grad=True)
(F.rms_norm(x, (3,)).sum() + F.layer_norm(x, (3,)).sum()).backward()
y = x.sum() - 1e17
y.backward()
""",
    "a logarithm of a sum whose last digit is more than what is looked for": """
import torch
x = torch.tensor([16777217.0, 1e+20, 88.0], requires_grad=True)
z = torch.tensor(0.5, requires_grad=True)
torch.logsumexp((x + 0.0).repeat(3) * z, dim=-1, keepdim=True).sum().backward()
""",
    "a variance whose upstream gradient overflows before it meets a deviation": """
import torch
y = torch.tensor([[0.0, 1e-45], [-0.0, 0.0]], requires_grad=True)
(y.var(1).narrow(-1, 0, 1) * torch.tensor([3e+38])).sum().backward()
""",
    "a kink in what is flat": """
import torch
torch.set_default_dtype(torch.float64)
y = torch.tensor([[1.0, 1.0, 0.0], [-1.0, 2.0, 0.0], [1.0, -1.0, 2.0]], requires_grad=True)
c = y.clamp(2.0) ** 4
c.tanh_()
c.mean().backward()
""",
    "steps that are finer than any difference": """
import torch
x = torch.tensor([-110.0, 88.0, 1.0], requires_grad=True)
a = torch.div(x, torch.tensor([1e-20, -1.0, 0.5]), rounding_mode='floor')
y = torch.tensor(0.0, requires_grad=True)
(a.sum() + (x % 1e-38).sum() + torch.round(y * 1e20)).backward()
""",
    "a determinant that is 0 but for rounding": """
import torch
x = torch.tensor([0.1, -2.3], dtype=torch.float64, requires_grad=True)
torch.det(torch.outer(x.detach(), x)).sum().backward()
""",
    "a share of the smallest number there is": """
import torch
import torch.nn.functional as F
x = torch.tensor([[-0.0, -1.0, 16777217.0]], requires_grad=True)
(F.mse_loss(torch.log(x), x) * torch.tensor(1e-45)).backward()
""",
    "a leaf's name that a loop binds anew": """
import torch
x = torch.tensor([2.0], requires_grad=True)
a = torch.tensor([1, 2])
for a, b in zip(x, x):
    c = a * b
c.backward()
""",
    "probabilities at the ends, where differences leave the domain": """
import torch
import torch.nn.functional as F
p = torch.tensor([0.0, 0.5], requires_grad=True)
F.binary_cross_entropy(p, torch.tensor([0.0, 1.0])).backward()
""",
    "the determinant of a matrix of one 0": """
import torch
A = torch.tensor([[0.]], requires_grad=True)
torch.det(A).backward()
""",
    "the determinant of a matrix with zeros": """
import torch
x = torch.tensor([[1., 2., 3.], [4., 0., 0.], [5., 7., 0.]], requires_grad=True)
torch.det(x).backward()
""",
    "an inverse, where steps of differences meet a singular matrix": """
import torch
x = torch.tensor([[1., 2., 3.], [0., 1., 4.], [5., 6., 0.]], requires_grad=True)
torch.linalg.inv(x).sum().backward()
""",
    "a square of which one factor is a number of Python's": '''
"""One line."""
import torch
x = torch.tensor(2., requires_grad=True)
y = x * x.item()
y
y.backward()
''',
    "probabilities picked by a range and a list": """
import torch
p = torch.tensor([[0.2, 0.5, 0.3], [0.1, 0.6, 0.3]], requires_grad=True)
y = torch.tensor([1, 2])
loss = -p[range(2), y].log().mean() - p[list(range(2)), y].sum()
loss.backward(gradient=torch.ones(len([1]))[0])
""",
    "an error summed over 4,000 rows": """
import torch
x = torch.linspace(-1, 1, 4000).unsqueeze(1)
W = torch.tensor([[2.0]], requires_grad=True)
(x @ W - 0.5).pow(2).sum().backward()
""",
    "the median of equal elements": """
import torch
x = torch.tensor([1., 2., 2., 3., 2.], requires_grad=True)
x.median().backward()
""",
    "an output that no_grad has changed, to finite differences": """
import torch
x = torch.tensor(0.5, requires_grad=True)
e = x * x
with torch.no_grad():
    e += 2
e.backward()
""",
    "the spread of the one row that there is, whose sum overflows": """
import torch
x = torch.tensor([1.0, 2.0], requires_grad=True)
y = torch.tensor([[-1.0, 3e38, 3e38]])
k = y.std(-1)
m = torch.cat([y, y]).std(-1)
n = y.T.var(0, keepdim=True)
x.sum().backward()
""",
    "normalisations of two numbers close to each other, and of three": """
import torch
import torch.nn.functional as F
x = torch.tensor([[251.841007, 251.969993]], requires_grad=True)
y = torch.tensor([[5772.661801, 5772.673774, 5772.68918]], requires_grad=True)
F.group_norm(x, 1).backward(torch.tensor([[0.58, 1e5]]))
F.instance_norm(y[None]).backward(torch.tensor([[[1e5, 0.5, -0.88]]]))
""",
    "a power that is no whole one, whose exponent kernels round by the lane": """
import torch
x = torch.tensor([3e38, 1e20, 2.0], requires_grad=True)
y = x ** 0.1
y.sum().backward()
""",
}
