"""What changed in the indicators since the run before, and why."""
