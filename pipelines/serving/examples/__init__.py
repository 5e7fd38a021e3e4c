"""Examples that callers pass, made what a signature takes, or refused in words."""
