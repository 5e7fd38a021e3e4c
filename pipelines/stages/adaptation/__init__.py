"""Adaptation of a head to a target domain, on the features of a run."""
