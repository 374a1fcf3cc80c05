"""What trials leave: specifications, ledgers, records, and the store of them."""
