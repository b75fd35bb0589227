"""Sparse gradients of an embedding, and a sparse product."""

import torch
from torch import nn

torch.manual_seed(13)
embedding = nn.Embedding(10, 3, sparse=True)
optimizer = torch.optim.SparseAdam(embedding.parameters(), lr=0.1)
loss = embedding(torch.tensor([1, 4, 1])).pow(2).sum()
loss.backward()
optimizer.step()
matrix = torch.eye(3).to_sparse()
w = torch.randn(3, 2, requires_grad=True)
torch.sparse.mm(matrix, w).sum().backward()
print(loss.item(), embedding.weight[1].tolist(), w.grad.tolist())
