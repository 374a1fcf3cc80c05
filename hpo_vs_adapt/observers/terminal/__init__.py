"""Progress of a run, as a terminal or a log file shows it."""
