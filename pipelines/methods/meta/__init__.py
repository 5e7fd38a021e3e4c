"""Learning to learn: an optimizer trained on tasks, and one that learns its rates."""
