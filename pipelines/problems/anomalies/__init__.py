"""Normal examples alone: how far from them an example is."""
