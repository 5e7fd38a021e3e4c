"""Files of weights: where they are, and what is in them."""
