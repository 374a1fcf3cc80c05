"""Ray Tune: workers, addresses, and one run of all packs of a study."""
