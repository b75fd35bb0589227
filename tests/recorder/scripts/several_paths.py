"""Calls that are several of torch's nodes, and operands that stand in them more than once."""

import torch
from torch.nn.functional import (
    cosine_embedding_loss,
    cosine_similarity,
    normalize,
    scaled_dot_product_attention,
)

x = torch.randn(4, 3, requires_grad=True)
unit = normalize(x, dim=1)
alike = cosine_similarity(x, x + 1)
apart = cosine_embedding_loss(x, unit, torch.ones(4))
mixed = scaled_dot_product_attention(unit, unit, unit)
blocks = torch.kron(x, x)
(mixed.sum() + alike.prod() + apart + blocks.mean() + (unit @ unit.T).sum()).backward()
print(x.grad.sum().item())
