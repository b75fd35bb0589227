"""A scripted function: its inside is not seen, its derivative is torch's."""

import warnings

import torch

warnings.simplefilter("ignore")


@torch.jit.script
def gate(x):
    return x * torch.sigmoid(x) + 1.0


x = torch.tensor([0.5, -1.0], requires_grad=True)
y = gate(x).sum()
y.backward()
print(y.item(), x.grad.tolist())
