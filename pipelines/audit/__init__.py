"""The audit of a data set that `zoo check` prints."""
