"""A compiled function, which runs eagerly while it is recorded."""

import torch


@torch.compile(backend="eager")
def step(x):
    return (x.sin() ** 2 + x).sum()


x = torch.tensor([0.1, 0.2], requires_grad=True)
y = step(x)
y.backward()
print(y.item(), x.grad.tolist())
