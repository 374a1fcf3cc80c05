"""How sure numbers are: intervals, coverage, resampling, power, survival."""
