"""The choice among detectors of anomalies, on normal examples alone."""
