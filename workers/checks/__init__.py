"""Checks that an asset must pass before it counts: deterministic, without a model."""
