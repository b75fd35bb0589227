"""What `torch.jit.trace` writes down, and tensors of several shapes in one."""

import torch

x = torch.randn(3, requires_grad=True)
traced = torch.jit.trace(lambda v: (v * 2).relu(), torch.randn(3))
traced(x).sum().backward()
print([node.kind() for node in traced.graph.nodes()])

ragged = torch.nested.nested_tensor([torch.ones(2, 3), torch.ones(1, 3)], requires_grad=True)
layer = torch.nn.Linear(3, 2)
layer(ragged).to_padded_tensor(0.0).sum().backward()
print(layer.weight.grad.sum().item())
