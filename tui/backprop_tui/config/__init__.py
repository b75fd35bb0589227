"""The configuration file: keys, theme, speed of play, torch."""
