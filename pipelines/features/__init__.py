"""Features of a frozen backbone: extracted, pooled and kept."""
