"""How much hangs on settings: sweeps, learning rates, knobs, importances."""
