"""A Function of one's own, once differentiable twice, once with something that is no tensor."""

import torch


class Cube(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, power):
        ctx.save_for_backward(x)
        ctx.power = power
        return x**power

    @staticmethod
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensors
        return gradient * ctx.power * x ** (ctx.power - 1), None


x = torch.tensor([1.0, 2.0], requires_grad=True)
y = Cube.apply(x, 3)
(g,) = torch.autograd.grad(y.sum(), x, create_graph=True)
g.sum().backward()
print(y.tolist(), g.tolist(), x.grad.tolist())
