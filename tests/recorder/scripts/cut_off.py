"""Graphs that are cut off: detach, no_grad, item, requires_grad that is switched off."""

import torch
from torch import nn

torch.manual_seed(21)
first, second = nn.Linear(2, 2), nn.Linear(2, 1)
second.weight.requires_grad_(False)
h = first(torch.ones(1, 2)).detach()
loss = second(h).sum()
loss.backward()
with torch.no_grad():
    second.bias -= 0.1 * second.bias.grad
print(loss.item(), first.weight.grad, second.bias.tolist())
