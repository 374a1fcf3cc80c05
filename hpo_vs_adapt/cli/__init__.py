"""The command line: its commands, options, views and messages."""
