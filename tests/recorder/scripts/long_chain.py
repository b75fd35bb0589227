"""A chain that is deep enough to be freed by recursion."""

import torch

x = torch.ones((), requires_grad=True)
y = x
for _ in range(1200):
    y = y * 1.0001
y.backward()
print(x.grad.item())
