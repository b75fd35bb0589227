"""Modes of the program's own: a default device, inference, a counter of dispatches."""

import torch
from torch.utils._python_dispatch import TorchDispatchMode


class Count(TorchDispatchMode):
    count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.count += 1
        return func(*args, **(kwargs or {}))


x = torch.tensor([1.0, 2.0], requires_grad=True)
with torch.device("cpu"), Count() as counter:
    y = (x * torch.ones(2)).sum()
    y.backward()
with torch.inference_mode():
    z = torch.arange(100.0) * 2
    z.add_(1)
    print(counter.count, x.grad.tolist(), z.sum().item())
