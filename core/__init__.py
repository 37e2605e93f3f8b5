"""What producers and workers both stand on: settings, errors, the ledger, storage and the broker."""
