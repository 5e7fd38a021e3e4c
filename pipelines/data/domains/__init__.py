"""Examples of another domain than the labelled ones."""
