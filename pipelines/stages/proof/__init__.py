"""The model in memory asked, examples, and how far an export may be off."""
