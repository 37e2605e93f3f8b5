"""Producers make work: read a campaign, plan its jobs, submit them, and show what became of them."""
