"""The quality gate: a model is published if it reaches what was asked of it."""
