"""Parameter groups, a schedule, weight decay, an average of weights."""

import torch
from torch import nn

torch.manual_seed(22)
net = nn.Linear(3, 1)
optimizer = torch.optim.RMSprop(
    [{"params": [net.weight], "lr": 0.1, "weight_decay": 0.01}, {"params": [net.bias], "lr": 0.01}]
)
schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 5)
average = torch.optim.swa_utils.AveragedModel(net)
for _ in range(3):
    optimizer.zero_grad()
    net(torch.randn(4, 3)).pow(2).mean().backward()
    optimizer.step()
    schedule.step()
    average.update_parameters(net)
print(schedule.get_last_lr(), net.weight.tolist(), average.module.weight.tolist())
