"""From a dataset reference to train, validation and test splits of raw pixels."""
