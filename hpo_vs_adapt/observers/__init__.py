"""Who follows a run: the terminal, the Optuna dashboard, logs of other tools."""
