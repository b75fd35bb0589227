"""The commands without a screen: `check`, `trace` and `ops`, as text and as JSON."""
