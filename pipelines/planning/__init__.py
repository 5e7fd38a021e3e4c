"""What to train, at what rate, for how long: decided before anything is trained."""
