"""Numbers, one at a time, used several times."""

import torch

torch.manual_seed(1)
w = [torch.randn((), requires_grad=True) for _ in range(6)]
loss = torch.zeros(())
for i in range(20):
    x = torch.tensor(i / 10)
    y = w[0] * x
    for a, b in zip(w[1:], w[2:], strict=False):
        y = torch.tanh(a * y + b) + y * 0.5
    loss = loss + (y - x**2) ** 2
loss.backward()
print(loss.item(), [a.grad.item() for a in w])
