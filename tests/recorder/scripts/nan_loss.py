"""A nan that is born in the forward pass, and one in the backward pass alone."""

import torch

x = torch.tensor([0.0, 1.0, 4.0], requires_grad=True)
y = torch.sqrt(x)
z = (y * 2).sum()
z.backward()
print(x.grad.tolist())
w = torch.tensor([-1.0, 2.0], requires_grad=True)
torch.log(w).sum().backward()
print(w.grad.tolist())
