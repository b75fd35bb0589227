"""Whether a trace is right: how far numbers may differ, and finite differences."""
