"""Linear probes on features, in closed form."""
