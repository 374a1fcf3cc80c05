"""What the other metrics rest on: crossings, passes, costs, scores."""
