"""Two threads, each with a graph of its own."""

import threading

import torch

found = {}


def work(number):
    x = torch.full((3,), float(number), requires_grad=True)
    (x * x).sum().backward()
    found[number] = x.grad.tolist()


threads = [threading.Thread(target=work, args=(number,)) for number in (1, 2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
work(3)
print(sorted(found.items()))
