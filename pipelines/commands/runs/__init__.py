"""Commands that measure, train, and describe runs."""
