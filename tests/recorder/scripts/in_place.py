"""Changes in place: of slices, by methods, through views."""

import torch

torch.manual_seed(12)
x = torch.randn(3, 4, requires_grad=True)
y = x * 2
y[0] = 1.0
y[:, 1] += x[:, 0]
y.view(-1)[3:6].mul_(3)
y.relu_()
z = y.clone().fill_diagonal_(0.0)
z.index_add_(0, torch.tensor([0, 2]), x[:2])
loss = z.sum()
loss.backward()
print(loss.item(), x.grad.tolist())
