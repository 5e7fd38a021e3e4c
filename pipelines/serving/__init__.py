"""Artifacts: what is published, how it is proved, and how it is read."""
