"""A bias whose gradient is 0, but for what a sum of thousands of numbers rounds."""

import torch
from torch import nn

model = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU())
loss = (model(torch.randn(8, 3, 16, 16)) ** 3).mean()
loss.backward()
print(loss.item(), model[0].bias.grad.abs().max() < 1e-6)
