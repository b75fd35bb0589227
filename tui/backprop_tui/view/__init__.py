"""What all panes draw from."""
