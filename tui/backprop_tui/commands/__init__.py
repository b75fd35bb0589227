"""The one table of commands, and what is said of them."""
