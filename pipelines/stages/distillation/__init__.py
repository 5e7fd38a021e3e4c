"""The stage that asks a teacher, before training."""
