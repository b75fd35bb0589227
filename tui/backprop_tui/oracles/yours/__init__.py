"""A learner's own engine, layers or answers as an oracle, run by a process with limits."""
