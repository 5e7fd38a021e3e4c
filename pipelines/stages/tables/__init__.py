"""What only runs on tables have: models without a network to compare with."""
