"""Groups of examples that look alike, found without labels."""
