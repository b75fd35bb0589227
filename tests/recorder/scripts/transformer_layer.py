"""The encoder layer of torch: in training, and its fast path in inference."""

import torch
from torch import nn

torch.manual_seed(6)
layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True)
encoder = nn.TransformerEncoder(layer, 2)
x = torch.randn(2, 5, 8)
loss = encoder(x).pow(2).mean()
loss.backward()
encoder.eval()
with torch.no_grad():
    print(loss.item(), encoder(x).sum().item())
