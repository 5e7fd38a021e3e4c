"""Small sets of real labelled data, for a first run without data of one's own."""
