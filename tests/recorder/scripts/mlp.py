"""A model, an optimiser with momentum, clipping, an unused layer."""

import torch
from torch import nn

torch.manual_seed(0)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
        self.unused = nn.Linear(2, 2)

    def forward(self, x):
        h = self.net(x)
        return torch.softmax(h / torch.sqrt(h.var(dim=1, keepdim=True)), dim=-1)


net = Net()
optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
for step in range(3):
    x, t = torch.randn(16, 4), torch.randint(0, 2, (16,))
    loss = nn.functional.nll_loss(net(x).log(), t)
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(net.parameters(), 0.1)
    optimizer.step()
    print(step, loss.item())
