"""Samples that gradients go through, and a log probability."""

import torch
from torch.distributions import Categorical, Normal, kl_divergence

torch.manual_seed(24)
mean = torch.zeros(3, requires_grad=True)
scale = torch.ones(3, requires_grad=True)
latent = Normal(mean, scale)
sample = latent.rsample()
policy = Categorical(logits=sample)
action = policy.sample()
loss = (
    -policy.log_prob(action) + kl_divergence(latent, Normal(0.0, 1.0)).sum() + sample.pow(2).sum()
)
loss.backward()
print(loss.item(), action.item(), mean.grad.tolist())
