"""Live reload: when a file has changed, and where in the new run a person finds his place again."""
