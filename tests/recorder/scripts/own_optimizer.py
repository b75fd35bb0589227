"""An optimiser of one's own, and weights that are changed by hand."""

import torch


class Sign(torch.optim.Optimizer):
    def __init__(self, params, lr):
        super().__init__(params, {"lr": lr})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.sub_(group["lr"] * parameter.grad.sign())


w = torch.tensor([1.0, -2.0, 0.5], requires_grad=True)
optimizer = Sign([w], 0.1)
for _ in range(3):
    optimizer.zero_grad()
    (w**2).sum().backward()
    w.grad[0] = 0.0
    optimizer.step()
print(w.tolist())
