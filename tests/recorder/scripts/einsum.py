"""Products of many kinds."""

import torch

torch.manual_seed(18)
a, b = torch.randn(2, 3, 4, requires_grad=True), torch.randn(4, 5, requires_grad=True)
c = torch.einsum("bij,jk->bik", a, b)
d = torch.bmm(c, c.transpose(1, 2)) + torch.baddbmm(torch.zeros(2, 3, 3), c, c.mT)
e = torch.tensordot(a, b, dims=1).sum() + torch.outer(b[0], b[1]).trace()
loss = torch.linalg.det(d + 9 * torch.eye(3)).log().sum() + e + torch.logsumexp(c, -1).sum()
loss.backward()
print(loss.item(), a.grad.norm().item(), b.grad.norm().item())
