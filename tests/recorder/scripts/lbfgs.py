"""An optimiser that calls back."""

import torch

x = torch.tensor([-1.0, 2.0], requires_grad=True)
optimizer = torch.optim.LBFGS([x], max_iter=5, line_search_fn="strong_wolfe")


def closure():
    optimizer.zero_grad()
    loss = (1 - x[0]) ** 2 + 100 * (x[1] - x[0] ** 2) ** 2
    loss.backward()
    return loss


for _ in range(3):
    print(optimizer.step(closure).item())
print(x.tolist())
