"""The commands without a screen: `check` and `trace`, as text and as JSON."""
