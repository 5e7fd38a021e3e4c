"""Commands on data before training."""
