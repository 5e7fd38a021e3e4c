"""Heads that learn from examples without labels too."""
