"""The page: sections, tables and controls as HTML."""
