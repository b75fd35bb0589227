"""LSTM and GRU as whole layers, with packed sequences."""

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

torch.manual_seed(5)
lstm, gru = nn.LSTM(3, 4, num_layers=2, bidirectional=True), nn.GRU(8, 2, batch_first=True)
x = torch.randn(5, 2, 3)
packed, _ = lstm(pack_padded_sequence(x, [5, 3]))
y, lengths = pad_packed_sequence(packed)
out, last = gru(y.transpose(0, 1))
loss = out.pow(2).mean() + last.abs().sum()
loss.backward()
print(loss.item(), lengths.tolist(), lstm.weight_ih_l0.grad.sum().item())
