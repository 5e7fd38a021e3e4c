"""A network that draws small images of each class, learned from labelled ones."""
