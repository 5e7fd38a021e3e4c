"""Reusable SavedModels, as layers and as exports."""
