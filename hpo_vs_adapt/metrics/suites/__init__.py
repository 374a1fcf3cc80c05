"""Arms over several workloads: profiles, ratios, pairs."""
