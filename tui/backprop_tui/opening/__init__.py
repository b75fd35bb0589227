"""From an argument to an open session."""
