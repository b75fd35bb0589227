"""The panes: each draws the View it is given, and tells by messages what was clicked."""
