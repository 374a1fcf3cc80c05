"""Searches over time: best so far, tuning curves, tuners replayed on records."""
