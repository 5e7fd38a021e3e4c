"""Sound files: which are read, what is wrong with them, and the length to read."""
