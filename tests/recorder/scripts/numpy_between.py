"""numpy in between, and tensors of several dtypes that nothing is computed with."""

import numpy as np
import torch

data = np.random.default_rng(0).normal(size=(20, 2)).astype(np.float32)
x = torch.from_numpy(data)
w = torch.zeros(2, requires_grad=True)
for _ in range(3):
    loss = ((x @ w - torch.as_tensor(data[:, 0] > 0, dtype=torch.float32)) ** 2).mean()
    loss.backward()
    with torch.no_grad():
        w -= 0.5 * w.grad
        w.grad = None
print(w.detach().numpy().round(6).tolist())
