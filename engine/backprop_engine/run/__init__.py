"""From a scenario to its trace: the forward pass, then every backward pass."""
