"""Gradients that add up over passes, retained graphs, gradients of parts."""

import torch

x = torch.tensor([1.0, 2.0], requires_grad=True)
y = (x**3).sum()
y.backward(retain_graph=True)
y.backward(torch.tensor(2.0))
z = x * x
z.backward(torch.tensor([1.0, 10.0]))
torch.autograd.backward([(x * 2).sum(), (x * 3).sum()])
print(x.grad.tolist())
u, v = (torch.tensor(2.0, requires_grad=True) for _ in range(2))
print(torch.autograd.grad([u * v], [u, v]), torch.autograd.grad(u * 2, v, allow_unused=True))
