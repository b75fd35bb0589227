"""Torch as an oracle: a child process that rebuilds a trace in PyTorch and reports what it saw."""
