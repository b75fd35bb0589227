"""Activation checkpoints: parts of the forward pass are computed again in the backward pass."""

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

torch.manual_seed(8)
blocks = nn.ModuleList(nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5), nn.Tanh()) for _ in range(3))
x = torch.randn(3, 4, requires_grad=True)
h = x
for block in blocks:
    h = checkpoint(block, h, use_reentrant=False)
loss = h.pow(2).sum()
loss.backward()
print(loss.item(), x.grad.sum().item(), blocks[0][0].weight.grad.sum().item())
