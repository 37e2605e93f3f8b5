"""Finished advertisements: a headline, a picture and a brand, composed to the size and rules of a place."""
