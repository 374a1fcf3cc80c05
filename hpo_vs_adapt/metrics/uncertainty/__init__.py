"""How sure numbers are: intervals, coverage, power, survival."""
