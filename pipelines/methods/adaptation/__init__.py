"""A head for examples of another domain than the labelled ones, on kept features."""
