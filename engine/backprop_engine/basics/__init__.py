"""Numbers, texts and positions: what everything else is made from."""
