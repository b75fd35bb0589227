"""Sympy as an oracle: a child process that differentiates a program of numbers as mathematics."""
