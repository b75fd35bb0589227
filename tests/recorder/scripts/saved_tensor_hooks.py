"""Saved tensors that are packed away, and counted."""

import torch

packed = []


def pack(tensor):
    packed.append(tuple(tensor.shape))
    return tensor.numpy(force=True)


x = torch.linspace(0.1, 1, 5, requires_grad=True)
with torch.autograd.graph.saved_tensors_hooks(pack, torch.from_numpy):
    y = (x.exp() * x.sigmoid()).sum()
y.backward()
print(y.item(), packed, x.grad.tolist())
