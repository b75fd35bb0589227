"""Derivatives of derivatives, three deep."""

import torch

x = torch.tensor([0.5, 1.5], requires_grad=True)
y = (x.sin() * x.exp()).sum()
for order in range(3):
    (g,) = torch.autograd.grad(y, x, create_graph=True)
    print(order, g.tolist())
    y = g.sum()
