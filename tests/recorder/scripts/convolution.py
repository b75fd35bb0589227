"""Convolutions, batch norm, pooling, dropout, Adam."""

import torch
from torch import nn

torch.manual_seed(2)
net = nn.Sequential(
    nn.Conv2d(3, 4, 3, padding=1),
    nn.BatchNorm2d(4),
    nn.ReLU(inplace=True),
    nn.MaxPool2d(2),
    nn.Conv2d(4, 8, 3),
    nn.GELU(),
    nn.AdaptiveAvgPool2d(1),
    nn.Flatten(),
    nn.Dropout(0.2),
    nn.Linear(8, 5),
)
optimizer = torch.optim.AdamW(net.parameters(), lr=1e-2)
for _ in range(2):
    x, t = torch.randn(4, 3, 8, 8), torch.randint(0, 5, (4,))
    optimizer.zero_grad(set_to_none=False)
    loss = nn.functional.cross_entropy(net(x), t, label_smoothing=0.1)
    loss.backward()
    optimizer.step()
    print(loss.item())
