"""What the inspector shows of a node's arrays: layers, cells and statistics, without a screen."""
