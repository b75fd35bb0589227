"""Whatever only reads a trace."""
