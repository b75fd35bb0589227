"""The same place in a new run of a changed file."""
