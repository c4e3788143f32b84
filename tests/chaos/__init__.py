"""Faults under load, in sizes that take minutes; `make chaos` runs them."""
