"""A step-through debugger for gradients, in the terminal."""
