"""Predictions for more examples than fit into memory, or into a day."""
