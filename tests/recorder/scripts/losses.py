"""Losses, each by its module."""

import torch
from torch import nn

torch.manual_seed(19)
x = torch.randn(6, 3, requires_grad=True)
t, classes = torch.randn(6, 3), torch.randint(0, 3, (6,))
total = torch.zeros(())
for loss in (nn.MSELoss(), nn.L1Loss(), nn.SmoothL1Loss(), nn.HuberLoss(delta=0.5)):
    total = total + loss(x, t)
total = total + nn.CrossEntropyLoss(weight=torch.tensor([1.0, 2.0, 3.0]))(x, classes)
total = total + nn.KLDivLoss(reduction="batchmean")(x.log_softmax(-1), t.softmax(-1))
total = (
    total + nn.CosineEmbeddingLoss()(x, t, torch.ones(6)) + nn.BCELoss()(x.sigmoid(), t.sigmoid())
)
total = total + nn.TripletMarginLoss()(x, t, t.flip(0)) + nn.MultiMarginLoss()(x, classes)
total.backward()
print(total.item(), x.grad.norm().item())
