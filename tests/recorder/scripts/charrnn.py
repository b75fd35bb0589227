"""Names classified letter by letter by a network of linear layers, its weights moved by hand."""

import torch
from torch import nn

LETTERS = "abcdefghijklmnopqrstuvwxyz"


class RNN(nn.Module):
    def __init__(self, letters, hidden, classes):
        super().__init__()
        self.i2h = nn.Linear(letters + hidden, hidden)
        self.i2o = nn.Linear(letters + hidden, classes)
        self.softmax = nn.LogSoftmax(dim=1)

    def forward(self, letter, hidden):
        combined = torch.cat((letter, hidden), 1)
        return self.softmax(self.i2o(combined)), torch.tanh(self.i2h(combined))


def tensor_of(name):
    tensor = torch.zeros(len(name), 1, len(LETTERS))
    for at, letter in enumerate(name):
        tensor[at][0][LETTERS.find(letter)] = 1
    return tensor


torch.manual_seed(45)
rnn = RNN(len(LETTERS), 8, 2)
for name, category in (("rossi", 0), ("smith", 1)):
    hidden = torch.zeros(1, 8)
    rnn.zero_grad()
    for letter in tensor_of(name):
        output, hidden = rnn(letter, hidden)
    loss = nn.functional.nll_loss(output, torch.tensor([category]))
    loss.backward()
    for p in rnn.parameters():
        p.data.add_(p.grad.data, alpha=-0.05)
    print(loss.item())
