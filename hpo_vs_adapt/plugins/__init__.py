"""From what a study names to classes, their source and the identity of trials."""
