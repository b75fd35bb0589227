"""How everything looks: the style sheet `backprop.tcss`, and the themes its colours come from."""
