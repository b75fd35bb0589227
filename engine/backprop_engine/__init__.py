"""A small autograd engine on numpy that records every step of a backward pass."""
