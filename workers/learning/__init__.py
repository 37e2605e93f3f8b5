"""From ratings to a version: snapshot, training, gate. Knows queue, ledger and store; torch stays with the models."""
