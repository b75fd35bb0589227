"""An error that the program catches, from a mismatch of shapes."""

import torch

x = torch.randn(2, 3, requires_grad=True)
try:
    x @ x
except RuntimeError as error:
    print(error)
y = (x @ x.T).trace()
y.backward()
print(torch.equal(x.grad, 2 * x))
