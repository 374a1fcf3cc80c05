"""The same trials at other targets."""
