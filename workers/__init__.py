"""Workers do the work: claim full batches, generate, check, publish."""
