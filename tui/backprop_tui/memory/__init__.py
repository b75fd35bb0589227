"""What survives a restart, per scenario: breakpoints, watches, theme and layout."""
