"""Finding one's way: search, marks, places to go to, and play."""
