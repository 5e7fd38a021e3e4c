"""Calibrated probabilities, thresholds and prediction sets. Imports no TensorFlow."""
