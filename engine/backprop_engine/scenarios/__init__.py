"""Scenario files and the one-line shorthand: text in, a checked `Scenario` out."""
