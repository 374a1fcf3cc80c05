"""Tuners replayed on recorded curves, without training."""
