"""What music may be asked for, and what of it can be made: moods, keys, instruments, lengths. Nothing plays here."""
