"""Places, marks and play."""
