"""Backups: one sealed file that holds all the factory cannot make again, and the way back."""
