"""From syntax to statements: what a text means before it runs."""
