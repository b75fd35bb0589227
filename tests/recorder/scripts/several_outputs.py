"""Calls with several outputs, some of them unused; integers among them."""

import torch

torch.manual_seed(16)
x = torch.randn(4, 6, requires_grad=True)
values, indices = x.max(dim=1)
a, b, _ = x.split(2, dim=1)
top = x.topk(2, dim=0).values
q, r = torch.linalg.qr(x.T @ x + torch.eye(6))
first, *_, last = x.unbind(0)
loss = values.sum() + (a * b).sum() + top.mean() + r.diagonal().abs().sum() + first @ last
loss.backward()
print(loss.item(), indices.tolist(), x.grad.norm().item())
