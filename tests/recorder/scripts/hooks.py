"""Hooks of all kinds, some of which change a gradient."""

import torch
from torch import nn

torch.manual_seed(11)
net = nn.Sequential(nn.Linear(3, 3), nn.ReLU(), nn.Linear(3, 1))
seen = []
net[0].register_forward_pre_hook(lambda module, given: seen.append("pre"))
net[0].register_forward_hook(lambda module, given, out: out * 2)
net[2].register_full_backward_hook(lambda module, sent, received: seen.append("full"))
net[0].weight.register_hook(lambda gradient: gradient * 0.5)
net[0].bias.register_post_accumulate_grad_hook(lambda tensor: seen.append("accumulated"))
h = net[0](torch.randn(2, 3))
h.register_hook(lambda gradient: gradient.clamp(-0.1, 0.1))
h.retain_grad()
loss = net[2](net[1](h)).sum()
loss.grad_fn.register_prehook(lambda received: seen.append("node"))
loss.backward()
print(loss.item(), seen, h.grad.tolist(), net[0].weight.grad.tolist())
