"""vmap, grad and jacrev of torch.func."""

import torch
from torch.func import functional_call, grad, jacrev, vmap

torch.manual_seed(14)
net = torch.nn.Linear(3, 1)
parameters = {name: value.detach() for name, value in net.named_parameters()}


def loss(parameters, x, t):
    return (functional_call(net, parameters, (x,)) - t).pow(2).sum()


x, t = torch.randn(5, 3), torch.randn(5, 1)
each = vmap(grad(loss), in_dims=(None, 0, 0))(parameters, x, t)
print(each["weight"].sum().item(), jacrev(torch.sin)(x[0]).diagonal().tolist())
loss(dict(net.named_parameters()), x, t).backward()
print(net.weight.grad.tolist())
