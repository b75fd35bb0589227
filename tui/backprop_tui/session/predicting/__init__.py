"""Answering first: what is asked before a step is shown, and what became of the answers."""
