"""Spectral norm, weight norm and a parametrisation."""

import torch
from torch import nn
from torch.nn.utils import parametrizations, parametrize

torch.manual_seed(23)


class Symmetric(nn.Module):
    def forward(self, x):
        return x.triu() + x.triu(1).mT


a = parametrizations.spectral_norm(nn.Linear(3, 3))
b = parametrizations.weight_norm(nn.Linear(3, 3))
c = nn.Linear(3, 3)
parametrize.register_parametrization(c, "weight", Symmetric())
loss = c(b(a(torch.randn(2, 3)))).pow(2).sum()
loss.backward()
print(loss.item(), c.parametrizations.weight.original.grad.norm().item())
