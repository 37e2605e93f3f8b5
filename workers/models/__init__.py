"""Model families, each whole in its own module."""
