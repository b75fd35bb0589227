"""Indices, masks, gather and scatter, where and -inf."""

import torch

torch.manual_seed(17)
x = torch.randn(5, 4, requires_grad=True)
rows = torch.tensor([0, 3, 3])
mask = x.detach() > 0
y = x[rows].sum() + x[mask].pow(2).sum() + x[1:4, ::2].sum() + x[..., None].sum()
g = x.gather(1, torch.tensor([[0], [1], [2], [3], [0]])).sum()
s = torch.zeros(5, 4).scatter(1, torch.zeros(5, 1, dtype=torch.long), x[:, :1]).sum()
m = x.masked_fill(~mask, float("-inf")).softmax(-1).nan_to_num().sum()
loss = y + g + s + m + torch.where(mask, x.log(), x.exp()).nan_to_num().sum()
loss.backward()
print(loss.item(), x.grad.nan_to_num().sum().item())
