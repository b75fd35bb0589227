"""A cell, step by step, with carried state that is detached."""

import torch
from torch import nn

torch.manual_seed(4)
cell, head = nn.LSTMCell(3, 5), nn.Linear(5, 1)
h, c = torch.zeros(2, 5), torch.zeros(2, 5)
for part in range(2):
    h, c = h.detach(), c.detach()
    losses = []
    for _ in range(6):
        h, c = cell(torch.randn(2, 3), (h, c))
        losses.append((head(h) - 1).pow(2).mean())
    loss = torch.stack(losses).sum()
    loss.backward()
    print(part, loss.item(), cell.weight_ih.grad.norm().item())
