"""Several views of each example at test time, averaged in the graph."""
