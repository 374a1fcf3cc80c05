"""From records to tidy tables: trials, bills, and all that is made of them."""
