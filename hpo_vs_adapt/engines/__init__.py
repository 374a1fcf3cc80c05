"""What trains trials: `packs`, many small ones in one vectorised run."""
