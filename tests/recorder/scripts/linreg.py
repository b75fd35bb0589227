"""A line through points: a layer that is the model by itself."""

import torch
from torch import nn

torch.manual_seed(43)
x = torch.linspace(-1, 1, 16).unsqueeze(1)
y = 3 * x + 0.5 + 0.05 * torch.randn(16, 1)
model = nn.Linear(1, 1)
criterion = nn.MSELoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for _ in range(3):
    optimizer.zero_grad()
    output = model(x)
    loss = criterion(output, y)
    loss.backward()
    optimizer.step()
    print(loss.item())
