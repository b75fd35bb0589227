"""Two models and two optimisers in turns."""

import torch
from torch import nn

torch.manual_seed(10)
generator = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 1))
critic = nn.Sequential(nn.Linear(1, 4), nn.LeakyReLU(0.2), nn.Linear(4, 1))
to_g = torch.optim.Adam(generator.parameters(), lr=1e-2)
to_c = torch.optim.Adam(critic.parameters(), lr=1e-2)
bce = nn.BCEWithLogitsLoss()
for _ in range(2):
    real, noise = torch.randn(8, 1) + 3, torch.randn(8, 2)
    fake = generator(noise)
    to_c.zero_grad()
    loss_c = bce(critic(real), torch.ones(8, 1)) + bce(critic(fake.detach()), torch.zeros(8, 1))
    loss_c.backward()
    to_c.step()
    to_g.zero_grad()
    loss_g = bce(critic(fake), torch.ones(8, 1))
    loss_g.backward()
    to_g.step()
    print(loss_c.item(), loss_g.item())
