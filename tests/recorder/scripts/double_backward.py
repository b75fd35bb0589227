"""A gradient penalty: the gradient of a gradient."""

import torch
from torch import nn

torch.manual_seed(9)
critic = nn.Sequential(nn.Linear(3, 6), nn.Softplus(), nn.Linear(6, 1))
x = torch.randn(4, 3, requires_grad=True)
(slope,) = torch.autograd.grad(critic(x).sum(), x, create_graph=True)
penalty = ((slope.norm(dim=1) - 1) ** 2).mean()
penalty.backward()
print(penalty.item(), critic[0].weight.grad.sum().item())
