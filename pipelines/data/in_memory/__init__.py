"""Data that a caller has in Python, in place of a reference."""
