"""Where the first number that is not finite came from, and what it has spoilt."""
