"""What policies cost: crossings, passes, bills, break-even, ranks."""
