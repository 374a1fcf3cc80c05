"""Packs: trials that train together in one vectorised run, one lane each."""
