"""Torch, in a process of its own."""
