"""A laboratory for machine-learning systems."""
