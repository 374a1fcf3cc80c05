"""What a study asks for: streams, the trials they suggest, the packs these form."""
