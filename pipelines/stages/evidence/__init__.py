"""Evidence for the plan: one pass over the data, and what it compares."""
