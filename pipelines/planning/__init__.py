"""The decisions before training: which blocks, at what rate, for how long."""
