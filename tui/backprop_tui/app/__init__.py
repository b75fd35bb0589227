"""The Textual app: one session, and what happens to it over time."""
