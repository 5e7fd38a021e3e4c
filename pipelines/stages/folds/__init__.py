"""Folds of the training examples, each judged by a head of the others."""
