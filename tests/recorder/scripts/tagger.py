"""Parts of speech by an LSTM, of which the last states are not used."""

import torch
from torch import nn

SENTENCES = [
    (["the", "dog", "ate", "the", "apple"], [0, 1, 2, 0, 1]),
    (["everybody", "read", "that", "book"], [1, 2, 0, 1]),
]
WORDS = {word: at for at, word in enumerate(sorted({w for s, _ in SENTENCES for w in s}))}


class Tagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(len(WORDS), 6)
        self.lstm = nn.LSTM(6, 6)
        self.hidden2tag = nn.Linear(6, 3)

    def forward(self, sentence):
        embeds = self.embedding(sentence)
        lstm_out, _ = self.lstm(embeds.view(len(sentence), 1, -1))
        return nn.functional.log_softmax(self.hidden2tag(lstm_out.view(len(sentence), -1)), dim=1)


torch.manual_seed(44)
model = Tagger()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for sentence, tags in SENTENCES:
    model.zero_grad()
    scores = model(torch.tensor([WORDS[word] for word in sentence]))
    loss = nn.functional.nll_loss(scores, torch.tensor(tags))
    loss.backward()
    optimizer.step()
    print(loss.item())
