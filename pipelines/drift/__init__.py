"""Is what comes in like what was trained on? `zoo drift`."""
