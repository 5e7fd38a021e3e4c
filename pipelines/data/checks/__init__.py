"""Checks of every example before training."""
