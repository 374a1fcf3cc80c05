"""Optuna studies that mirror a run, and the dashboard that shows them."""
