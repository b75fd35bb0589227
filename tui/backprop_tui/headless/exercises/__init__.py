"""Sheets of exercises: made for a scenario and a seed, filled in by a learner, and graded."""
