"""A value that the backward pass needs is changed, and the error is caught."""

import torch

x = torch.tensor([1.0, 2.0], requires_grad=True)
y = torch.sigmoid(x)
z = y * 3
y.add_(1)
try:
    z.sum().backward()
    y.sum().backward()
except RuntimeError as error:
    print(str(error)[:60])
print(x.grad)
