"""What the graph of a foreign model may do, read before it is loaded."""
