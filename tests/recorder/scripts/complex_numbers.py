"""Complex numbers, an FFT, conjugates."""

import torch

torch.manual_seed(15)
x = torch.randn(8, requires_grad=True)
spectrum = torch.fft.rfft(x)
power = (spectrum * spectrum.conj()).real.sum()
w = torch.tensor([1.0 + 2.0j], requires_grad=True)
loss = power + (w * torch.tensor([2.0 - 1.0j])).abs().sum()
loss.backward()
print(loss.item(), x.grad.sum().item(), w.grad.tolist())
