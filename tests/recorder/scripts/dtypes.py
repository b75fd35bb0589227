"""float64, half and bfloat16, and conversions between them."""

import torch

torch.manual_seed(20)
x = torch.randn(10, dtype=torch.float64, requires_grad=True)
h = x.half() * 2
b = x.to(torch.bfloat16).exp()
loss = h.float().sum() + b.double().sum() + (x.float() ** 2).sum()
loss.backward()
print(loss.dtype, loss.item(), x.grad.dtype, x.grad.sum().item())
