"""Mathematics as data: a tree (`tree.py`), its parser, and printers for it. Knows no numpy."""
